"""The methods of ndarray, each by NumPy's function of the same name, and the ones learners expect (``x.relu()``)."""

from __future__ import annotations

from typing import Any

import numpy

from backlight.errors import ArgumentError, message
from backlight.primitive import HOOK, REGISTRY
from backlight.trace import user_source

__all__ = ["Methods"]

np: Any = numpy  # an Array takes part in NumPy by protocol, which the stubs of its functions do not know of


class Methods:
    """What an ``Array`` can do besides its operators.

    >>> import backlight
    >>> x = backlight.array([[1.0, -2.0], [3.0, 4.0]])
    >>> x.sum(axis=0), x.T.shape, x.relu().max()
    (backlight.array([4., 2.]), (2, 2), backlight.array(4.))
    """

    __slots__ = ()

    dtype: Any
    size: Any
    __setitem__: Any

    # -- Reductions --------------------------------------------------------------------------------------------------

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        """The sum over ``axis``."""
        return np.sum(self, axis, dtype, out, **options)

    def prod(self, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        """The product over ``axis``."""
        return np.prod(self, axis, dtype, out, **options)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        """The mean over ``axis``."""
        return np.mean(self, axis, dtype, out, **options)

    def var(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, **options: Any) -> Any:
        """The variance over ``axis``."""
        return np.var(self, axis, dtype, out, ddof, **options)

    def std(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, **options: Any) -> Any:
        """The standard deviation over ``axis``."""
        return np.std(self, axis, dtype, out, ddof, **options)

    def max(self, axis: Any = None, out: Any = None, **options: Any) -> Any:
        """The largest element along ``axis``."""
        return np.max(self, axis, out, **options)

    def min(self, axis: Any = None, out: Any = None, **options: Any) -> Any:
        """The smallest element along ``axis``."""
        return np.min(self, axis, out, **options)

    def ptp(self, axis: Any = None, out: Any = None, **options: Any) -> Any:
        """The largest element minus the smallest."""
        return np.ptp(self, axis, out, **options)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        """The position of the largest element."""
        return np.argmax(self, axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        """The position of the smallest element."""
        return np.argmin(self, axis, out, keepdims=keepdims)

    def any(self, axis: Any = None, out: Any = None, **options: Any) -> Any:
        """Whether any element is not zero."""
        return np.any(self, axis, out, **options)

    def all(self, axis: Any = None, out: Any = None, **options: Any) -> Any:
        """Whether all elements are not zero."""
        return np.all(self, axis, out, **options)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """The running sum."""
        return np.cumsum(self, axis, dtype, out)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """The running product."""
        return np.cumprod(self, axis, dtype, out)

    # -- Shape -------------------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
        """The same elements in another shape: ``x.reshape(2, 3)`` or ``x.reshape((2, 3))``."""
        wanted = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, wanted, order) if copy is None else np.reshape(self, wanted, order, copy=copy)

    def ravel(self, order: Any = "C") -> Any:
        """The elements along one axis, as a view."""
        return np.ravel(self, order)

    def flatten(self, order: Any = "C") -> Any:
        """The elements along one axis, as a copy."""
        return np.copy(np.ravel(self, order))

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order: ``x.transpose()``, ``x.transpose(1, 0)`` or ``x.transpose((1, 0))``."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return np.transpose(self, order or None)

    def squeeze(self, axis: Any = None) -> Any:
        """Without the axes of length 1."""
        return np.squeeze(self, axis)

    def swapaxes(self, axis1: Any, axis2: Any) -> Any:
        """Two axes exchanged."""
        return np.swapaxes(self, axis1, axis2)

    @property
    def device(self) -> str:
        """Where the numbers are: ``"cpu"``."""
        return "cpu"

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """NumPy: the functions that code written for the array API standard is to call."""
        return np

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return np.matrix_transpose(self)

    @property
    def flat(self) -> Any:
        """The elements along one axis, as a view: ``x.flat[3]``, ``for v in x.flat``."""
        return HOOK.flat(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        np.put(self, np.arange(self.size), value)

    # -- Elements ----------------------------------------------------------------------------------------------------

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """Each element ``repeats`` times."""
        return np.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Any:
        """The elements at ``indices`` along ``axis``."""
        return np.take(self, indices, axis, out, mode)

    def put(self, indices: Any, values: Any, mode: Any = "raise") -> None:
        """Write ``values`` at flat positions."""
        np.put(self, indices, values, mode)

    def choose(self, choices: Any, out: Any = None, mode: Any = "raise") -> Any:
        """From ``choices``, the array that each element names."""
        return np.choose(self, choices, out, mode)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        """The slices where ``condition`` holds."""
        return np.compress(condition, self, axis, out)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The diagonal."""
        return np.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
        """The sum of the diagonal."""
        return np.trace(self, offset, axis1, axis2, dtype, out)

    def nonzero(self) -> Any:
        """The positions of the elements that are not zero, one array for each axis."""
        return np.nonzero(self)

    def searchsorted(self, v: Any, side: Any = "left", sorter: Any = None) -> Any:
        """Where ``v`` would have to be inserted to keep the order."""
        return np.searchsorted(self, v, side, sorter)

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
        """Sort in place."""
        self[...] = np.sort(self, axis, kind, order, stable=stable)

    def argsort(self, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
        """The positions that sort it."""
        return np.argsort(self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None) -> None:
        """Put the ``kth`` smallest element in its place, in place."""
        self[...] = np.partition(self, kth, axis, kind, order)

    def argpartition(self, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None) -> Any:
        """The positions that put the ``kth`` smallest element in its place."""
        return np.argpartition(self, kth, axis, kind, order)

    def fill(self, value: Any) -> None:
        """Write ``value`` everywhere."""
        self[...] = value

    def copy(self, order: Any = "C") -> Any:
        """A copy with the same history; writing to it leaves the original as it is."""
        return np.copy(self, order)

    def astype(self, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: Any = True, copy: Any = True) -> Any:
        """The numbers in another dtype."""
        if not np.can_cast(self.dtype, dtype, casting):
            problem = message("api_casting", came=self.dtype, wanted=np.dtype(dtype), casting=casting)
            raise ArgumentError(message("api_argument", str(user_source() or ""), function="astype", problem=problem))
        if self.dtype == dtype:
            return np.copy(self) if copy else self
        return REGISTRY.cast(self, dtype=np.dtype(dtype))

    # -- Arithmetic --------------------------------------------------------------------------------------------------

    def dot(self, b: Any, out: Any = None) -> Any:
        """The product with ``b``, as ``np.dot``."""
        return np.dot(self, b) if out is None else np.dot(self, b, out)

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **options: Any) -> Any:
        """Held between two bounds."""
        return np.clip(self, min, max, out, **options)

    def round(self, decimals: Any = 0, out: Any = None) -> Any:
        """Rounded to ``decimals``."""
        return np.round(self, decimals, out)

    def conj(self) -> Any:
        """The complex conjugate."""
        return np.conjugate(self)

    def conjugate(self) -> Any:
        """The complex conjugate."""
        return np.conjugate(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        np.real(self)[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        np.imag(self)[...] = value

    def __round__(self, decimals: Any = None) -> Any:
        return int(np.round(self)) if decimals is None else np.round(self, decimals)

    # -- What learners expect ----------------------------------------------------------------------------------------

    def relu(self) -> Any:
        """``max(x, 0)``."""
        return REGISTRY.relu(self)

    def tanh(self) -> Any:
        """The hyperbolic tangent."""
        return REGISTRY.tanh(self)

    def sigmoid(self) -> Any:
        """``1 / (1 + exp(-x))``."""
        return REGISTRY.sigmoid(self)

    def exp(self) -> Any:
        """``e ** x``."""
        return REGISTRY.exp(self)

    def log(self) -> Any:
        """The natural logarithm."""
        return REGISTRY.log(self)

    def sqrt(self) -> Any:
        """The square root."""
        return REGISTRY.sqrt(self)

    def sin(self) -> Any:
        """The sine."""
        return REGISTRY.sin(self)

    def cos(self) -> Any:
        """The cosine."""
        return REGISTRY.cos(self)

    def abs(self) -> Any:
        """The absolute value."""
        return np.absolute(self)

    def softmax(self, axis: Any = -1) -> Any:
        """Positive numbers that add up to 1 along ``axis``."""
        return HOOK.softmax(self, axis)

    def log_softmax(self, axis: Any = -1) -> Any:
        """The logarithm of ``softmax``, without rounding to log(0)."""
        return HOOK.log_softmax(self, axis)
