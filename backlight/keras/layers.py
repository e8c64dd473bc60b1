"""Layers, under all the names that Keras has for them."""

from backlight.nn.layers import *  # noqa: F403
from backlight.nn.layers import AveragePooling1D as AvgPool1D
from backlight.nn.layers import AveragePooling2D as AvgPool2D
from backlight.nn.layers import AveragePooling3D as AvgPool3D
from backlight.nn.layers import Conv1D as Convolution1D
from backlight.nn.layers import Conv1DTranspose as Convolution1DTranspose
from backlight.nn.layers import Conv2D as Convolution2D
from backlight.nn.layers import Conv2DTranspose as Convolution2DTranspose
from backlight.nn.layers import Conv3D as Convolution3D
from backlight.nn.layers import Conv3DTranspose as Convolution3DTranspose
from backlight.nn.layers import GlobalAveragePooling1D as GlobalAvgPool1D
from backlight.nn.layers import GlobalAveragePooling2D as GlobalAvgPool2D
from backlight.nn.layers import GlobalAveragePooling3D as GlobalAvgPool3D
from backlight.nn.layers import GlobalMaxPooling1D as GlobalMaxPool1D
from backlight.nn.layers import GlobalMaxPooling2D as GlobalMaxPool2D
from backlight.nn.layers import GlobalMaxPooling3D as GlobalMaxPool3D
from backlight.nn.layers import MaxPooling1D as MaxPool1D
from backlight.nn.layers import MaxPooling2D as MaxPool2D
from backlight.nn.layers import MaxPooling3D as MaxPool3D
from backlight.nn.layers import SeparableConv1D as SeparableConvolution1D
from backlight.nn.layers import SeparableConv2D as SeparableConvolution2D
from backlight.nn.layers import __all__ as _named

__all__ = [
    *_named,
    "AvgPool1D",
    "MaxPool1D",
    "GlobalAvgPool1D",
    "GlobalMaxPool1D",
    "Convolution1D",
    "Convolution1DTranspose",
    "AvgPool2D",
    "MaxPool2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "Convolution2D",
    "Convolution2DTranspose",
    "AvgPool3D",
    "MaxPool3D",
    "GlobalAvgPool3D",
    "GlobalMaxPool3D",
    "Convolution3D",
    "Convolution3DTranspose",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
]
