"""What an image data set is: the pictures and what they show."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Images"]


class Images(NamedTuple):
    """Pictures, ``(n, height, width)`` with values from 0 (paper) to 1 (ink), and labels, ``(n,)`` integers."""

    images: np.ndarray[Any, np.dtype[Any]]
    labels: np.ndarray[Any, np.dtype[np.int64]]
