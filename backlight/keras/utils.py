"""What scripts need besides: seeds, one-hot labels, sequences of one length."""

from backlight.data import pad_sequences, to_categorical
from backlight.nn.naming import clear_session, set_random_seed

__all__ = ["clear_session", "pad_sequences", "set_random_seed", "to_categorical"]
