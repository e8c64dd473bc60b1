"""From files and arrays to batches; published data sets, read from ``$BACKLIGHT_DATA``, the cache, or fetched once."""

from __future__ import annotations

from backlight.data.arranging import pad_sequences, to_categorical, train_test_split
from backlight.data.batches import Batches, order_of_epoch
from backlight.data.csv_files import csv_rows, read_csv
from backlight.data.digits import digits
from backlight.data.idx import read_idx, write_idx
from backlight.data.images import Images
from backlight.data.pictures import ImageFolder, read_image
from backlight.data.sets import cifar10, fashion_mnist, mnist, names, shakespeare
from backlight.data.sound import Sound, read_wav, write_wav
from backlight.data.texts import TEXTS
from backlight.data.tokens import (
    BytePairTokenizer,
    CharacterTokenizer,
    WordTokenizer,
    load_tokenizer,
)
from backlight.messages import MESSAGES

MESSAGES.update(TEXTS)

__all__ = [
    "Batches",
    "BytePairTokenizer",
    "CharacterTokenizer",
    "ImageFolder",
    "Images",
    "Sound",
    "WordTokenizer",
    "cifar10",
    "csv_rows",
    "digits",
    "fashion_mnist",
    "load_tokenizer",
    "mnist",
    "names",
    "order_of_epoch",
    "pad_sequences",
    "read_csv",
    "read_idx",
    "read_image",
    "read_wav",
    "shakespeare",
    "to_categorical",
    "train_test_split",
    "write_idx",
    "write_wav",
]
