"""First values of weights, under all the names that Keras has for them."""

from backlight.nn.initializers import *  # noqa: F403
from backlight.nn.initializers import Constant as constant
from backlight.nn.initializers import GlorotNormal as glorot_normal
from backlight.nn.initializers import GlorotUniform as glorot_uniform
from backlight.nn.initializers import HeNormal as he_normal
from backlight.nn.initializers import HeUniform as he_uniform
from backlight.nn.initializers import Identity as IdentityInitializer
from backlight.nn.initializers import Identity as identity
from backlight.nn.initializers import LecunNormal as lecun_normal
from backlight.nn.initializers import LecunUniform as lecun_uniform
from backlight.nn.initializers import Ones as ones
from backlight.nn.initializers import Orthogonal as OrthogonalInitializer
from backlight.nn.initializers import Orthogonal as orthogonal
from backlight.nn.initializers import RandomNormal as random_normal
from backlight.nn.initializers import RandomUniform as random_uniform
from backlight.nn.initializers import TruncatedNormal as truncated_normal
from backlight.nn.initializers import VarianceScaling as variance_scaling
from backlight.nn.initializers import Zeros as zeros
from backlight.nn.initializers import __all__ as _named

__all__ = [
    *_named,
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
    "zeros",
    "IdentityInitializer",
    "OrthogonalInitializer",
]
