"""The array people hold, and what happens when a primitive is called on it.

An ``Array`` is a handle on a node. Reading gives the node; writing (``x[i] = v``, ``x += y``, ``out=``) makes a new
node and moves the handle to it, so that nodes never change and every gradient stays right. A view is a handle that
remembers its base and a ``Lens``: how to read itself out of the base and how to put itself back into it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

from backlight import indexing
from backlight import ops as ops  # enters the tables that the operators below call
from backlight.errors import BacklightError, ConversionError, DTypeError, LeakError, ShapeError, message
from backlight.graph import NO_PARAMS, Node, Origin
from backlight.infer import elementwise_form, structural_form
from backlight.methods import Methods
from backlight.primitive import HOOK, REGISTRY, Elementwise, Structural
from backlight.refusal import describe, refuse, refuse_call
from backlight.source import stores_item
from backlight.trace import ROOT, Guard, Trace, constant, input_node, state, user_frame, user_source

__all__ = ["FUNCTIONS", "Array", "Lens", "array", "as_array", "elementwise", "plain", "structural"]

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy's functions (and ufuncs) -> Backlight's; filled by ``numpy_api``."""

_PLAIN = frozenset({np.ndarray, float, int, bool, complex})
_BOOL = np.dtype(bool)
Site = tuple[Trace, CodeType | None, int, tuple[str, ...], Origin | None, str]


def _itself(value: Any) -> Any:
    return value


class Lens(NamedTuple):
    """How a view is read out of its base, and how a new value of it is put back."""

    get: Callable[[Array], Array]
    put: Callable[[Array, Array], Array]


class Array(Methods):
    """A NumPy-like array whose history is recorded, so that it can be differentiated and explained.

    It follows NumPy's protocols: ``np.sin(x)``, ``x @ w``, ``x[1:] += 2`` and the methods of ``ndarray`` work on it.
    Make one with ``backlight.array``; inside ``grad`` and the other transformations the arguments are Arrays already.

    >>> import backlight, numpy as np
    >>> x = backlight.array([1.0, 2.0, 3.0])
    >>> loss = np.sum(x ** 2)
    >>> loss.backward()
    >>> x.grad
    backlight.array([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_base", "_layout", "_lens", "_node", "_root", "_version")

    _base: Array
    _layout: tuple[int, ...]  # the strides that memory had before it was first written to: it keeps them
    _lens: Lens
    _root: Array | None

    def __init__(self, node: Node) -> None:
        self._node = node
        self._root = None
        self._version = 0

    # -- Handle, views and writes ----------------------------------------------------------------------------------

    @property
    def node(self) -> Node:
        """The node this handle is on now."""
        root = self._root
        if root is not None and self._version != root._version:
            stale: Array = self
            path = []
            while stale._root is not None and stale._version != root._version:
                path.append(stale)
                stale = stale._base
            for view in reversed(path):
                view._node = _shown(view)
                view._version = root._version
        return self._node

    def as_view(self, base: Array, lens: Lens) -> Array:
        """Make this handle a view of ``base``: writing to either is seen by the other."""
        self._base = base
        self._root = base if base._root is None else base._root
        self._version = self._root._version
        self._lens = lens
        return self

    def write(self, new: Array) -> None:
        """Move the handle to ``new``, and with it everything it is a view of."""
        moved = [new.node]
        if moved[0] is self.node:
            return
        view = self
        path = [view]
        while view._root is not None:
            moved.append(view._lens.put(Array(view._base.node), Array(moved[-1]))._node)
            view = view._base
            path.append(view)
        if not hasattr(view, "_layout"):
            view._layout = indexing.strides_of(view)
        for handle, node in zip(path, moved, strict=True):  # only now: a lens may refuse to be written through
            handle._node = node
            handle._version = view._version + 1

    def assign(self, value: Any) -> None:
        """Replace the contents by ``value`` (same shape) as a fresh leaf without history: an optimiser's update.

        >>> w = array([1.0, 2.0])
        >>> w.assign(w.value - 0.5)
        >>> w
        backlight.array([0.5, 1.5])
        """
        fresh = np.array(value.value if isinstance(value, Array) else value, dtype=self.dtype)
        if fresh.shape != self.shape:
            raise refuse_write(self, fresh.shape)
        self.write(Array(input_node(fresh, self.node.name)))

    def _inplace(self, result: Any) -> Any:
        if self.node.is_scalar:
            return result  # NumPy's scalars are immutable: `y += 1` gives the name y a new value
        if result.shape != self.shape:
            raise refuse_write(self, result.shape)
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise DTypeError(message("write_dtype", str(user_source() or ""), target=describe(self), came=result.dtype))
        if result.dtype != self.dtype:
            result = REGISTRY.cast(result, dtype=self.dtype)
        if result.node.is_scalar:
            result = REGISTRY.update(self, result, index=())  # NumPy's `+` makes numbers of 0-d arrays, `+=` does not
        self.write(result)
        return self

    # -- What it holds ---------------------------------------------------------------------------------------------

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """The numbers as a plain, read-only NumPy array, without history."""
        view = np.asarray(self._seen()).view()
        view.flags.writeable = False
        return view

    def numpy(self) -> np.ndarray[Any, Any]:
        """A writable plain copy of the numbers, without history."""
        return np.array(self._seen())

    @property
    def shape(self) -> tuple[int, ...]:
        return self._node.shape  # type: ignore[no-any-return]  # a write keeps shape and dtype

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._node.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return len(self._node.shape)

    @property
    def size(self) -> int:
        size = 1
        for length in self._node.shape:
            size *= length
        return size

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def name(self) -> str | None:
        """The variable it was given to, where one can be known."""
        return self.node.name

    @property
    def grad(self) -> Array:
        """Its gradient from the last ``backward()`` that reached it; zeros where none did.

        Every intermediate value has one, not only the leaves.
        """
        if self.node.gradient is not None:
            return self.node.gradient  # type: ignore[no-any-return]
        return Array(constant(np.zeros(self.shape, self.dtype)))

    def backward(self, gradient: Any = None, *, accumulate: bool = False, create_graph: bool = False) -> None:
        """Differentiate this number with respect to everything it was made from, and leave each result in ``.grad``.

        A second call gives the same gradients again; ``accumulate=True`` adds to what is there. ``gradient`` is the
        gradient arriving at this value (needed when it is not one number). With ``create_graph=True`` the gradients
        keep their own history and can be differentiated again.
        """
        HOOK.backward(self, gradient, accumulate, create_graph)

    # -- When Python reads a value -----------------------------------------------------------------------------------

    def _read(self, convert: Callable[[Any], Any]) -> Any:
        if not self.node.trace.open:
            raise leak(self)
        return self._seen(convert)

    def _seen(self, convert: Callable[[Any], Any] = _itself) -> Any:
        """The value as plain Python sees it, which the trace notes: another value might have led elsewhere."""
        node = self.node
        value = convert(node.value)
        if state.trace is not ROOT:
            state.trace.guards.append(Guard(node, value, user_source(), convert))
        return value

    def _stored(self, convert: Callable[[Any], Any]) -> Any:
        """The value as one number; refused where it would be stored in a plain array, which loses the gradient."""
        frame = sys._getframe(2)
        if stores_item(frame.f_code, frame.f_lasti) and self.dtype.kind in "fc":
            raise ConversionError(message("conversion", str(user_source() or ""), operand=describe(self)))
        return self._read(convert)

    def __bool__(self) -> bool:
        return bool(self._read(bool))

    def __int__(self) -> int:
        return int(self._stored(int))

    def __float__(self) -> float:
        return float(self._stored(float))

    def __complex__(self) -> complex:
        return complex(self._stored(complex))

    def __index__(self) -> int:
        return int(self._read(lambda value: value.__index__()))

    def item(self, *position: Any) -> Any:
        return self._read(lambda value: np.asarray(value).item(*position))

    def tolist(self) -> Any:
        return self._read(lambda value: value.tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise ConversionError(message("conversion", str(user_source() or ""), operand=describe(self)))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "backlight." + repr(np.asarray(self._seen()))

    def __str__(self) -> str:
        return str(np.asarray(self._seen()))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec) if self.shape else format(np.asarray(self._seen())[()], spec)

    def __reduce__(self) -> Any:
        return array, (self.numpy(),)

    def __copy__(self) -> Array:
        return Array(self.node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Array:
        return Array(self.node)

    # -- NumPy's protocols -------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and ufunc in FUNCTIONS:
            return _whole(ufunc, FUNCTIONS[ufunc], inputs, kwargs)
        return _whole(getattr(ufunc, method), partial(HOOK.ufunc, ufunc, method), inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _whole(function, FUNCTIONS.get(function) or HOOK.known(function), args, kwargs)

    # -- Indexing ----------------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        return indexing.read(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.write(indexing.written(self, key, value))

    # -- Operators ---------------------------------------------------------------------------------------------------

    def __neg__(self) -> Any:
        return elementwise(REGISTRY.negative, self)

    def __pos__(self) -> Array:
        return Array(self.node)

    def __abs__(self) -> Any:
        return np.abs(self)

    def __invert__(self) -> Any:
        return np.invert(self)

    def __add__(self, other: Any) -> Any:
        return elementwise(REGISTRY.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return elementwise(REGISTRY.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return elementwise(REGISTRY.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return elementwise(REGISTRY.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return elementwise(REGISTRY.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return elementwise(REGISTRY.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return elementwise(REGISTRY.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return elementwise(REGISTRY.divide, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return elementwise(REGISTRY.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return elementwise(REGISTRY.floor_divide, other, self)

    def __mod__(self, other: Any) -> Any:
        return elementwise(REGISTRY.remainder, self, other)

    def __rmod__(self, other: Any) -> Any:
        return elementwise(REGISTRY.remainder, other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __pow__(self, other: Any) -> Any:
        if type(other) in (int, float) and other == 2:
            return elementwise(REGISTRY.square, self)
        return elementwise(REGISTRY.power, self, other)

    def __rpow__(self, other: Any) -> Any:
        return elementwise(REGISTRY.power, other, self)

    def __matmul__(self, other: Any) -> Any:
        return FUNCTIONS[np.matmul](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return FUNCTIONS[np.matmul](other, self)

    def __and__(self, other: Any) -> Any:
        return np.bitwise_and(self, other)

    def __rand__(self, other: Any) -> Any:
        return np.bitwise_and(other, self)

    def __or__(self, other: Any) -> Any:
        return np.bitwise_or(self, other)

    def __ror__(self, other: Any) -> Any:
        return np.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Any:
        return np.bitwise_xor(self, other)

    def __rxor__(self, other: Any) -> Any:
        return np.bitwise_xor(other, self)

    def __lshift__(self, other: Any) -> Any:
        return np.left_shift(self, other)

    def __rshift__(self, other: Any) -> Any:
        return np.right_shift(self, other)

    def __rlshift__(self, other: Any) -> Any:
        return np.left_shift(other, self)

    def __rrshift__(self, other: Any) -> Any:
        return np.right_shift(other, self)

    def __iadd__(self, other: Any) -> Any:
        return self._inplace(self + other)

    def __isub__(self, other: Any) -> Any:
        return self._inplace(self - other)

    def __imul__(self, other: Any) -> Any:
        return self._inplace(self * other)

    def __itruediv__(self, other: Any) -> Any:
        return self._inplace(self / other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._inplace(self // other)

    def __imod__(self, other: Any) -> Any:
        return self._inplace(self % other)

    def __ipow__(self, other: Any) -> Any:
        return self._inplace(self**other)

    def __imatmul__(self, other: Any) -> Any:
        return self._inplace(self @ other)

    def __lt__(self, other: Any) -> Any:
        return elementwise(REGISTRY.less, self, other)

    def __le__(self, other: Any) -> Any:
        return elementwise(REGISTRY.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return elementwise(REGISTRY.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return elementwise(REGISTRY.greater_equal, self, other)

    def __eq__(self, other: Any) -> Any:
        return elementwise(REGISTRY.equal, self, other)

    def __ne__(self, other: Any) -> Any:
        return elementwise(REGISTRY.not_equal, self, other)


def _shown(view: Array) -> Node:
    """What a view reads out of its base, recorded where the base is: whoever looks first has no part in it."""
    base = view._base._node
    before = state.trace, state.origin
    state.trace, state.origin = base.trace, None
    try:
        return view._lens.get(Array(base))._node
    finally:
        state.trace, state.origin = before


def _whole(numpys: Callable[..., Any], function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call ``function`` for one of NumPy's: nodes on the way are its parts, what it returns is what the user named."""
    if state.kind == "part":
        return function(*args, **kwargs)
    state.kind = "part"
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        raise refuse_call(numpys, args, kwargs, error)  # noqa: B904  # it says itself what it comes from
    finally:
        state.kind = "call"
    if type(result) is Array and result._node.kind == "part":
        result._node.kind = "call"
    return result


# -- Calling a primitive ---------------------------------------------------------------------------------------------


def elementwise(primitive: Elementwise, *inputs: Any) -> Any:
    """Run an elementwise primitive and record it; broadcasts and casts become nodes of their own.

    Without an Array among the inputs nothing is recorded and NumPy's own result comes back.
    """
    nodes: list[Any] = []
    values: list[Any] = []
    traced = False
    postponed = state.postpone
    for x in inputs:
        if type(x) is Array:
            node = x._node if x._root is None else x.node
            if not node.trace.open:
                raise leak(x)
            value = node._value
            nodes.append(node)
            values.append(node if postponed else node.value if value is None else value)
            traced = True
        else:
            if type(x) not in _PLAIN:
                x = plain(x)
                if type(x) is Array:
                    return elementwise(primitive, *map(_handle, inputs))
            nodes.append(None)
            values.append(x)
    out: Any = None
    form: Any = elementwise_form(primitive, values) if postponed and traced else None
    if form is None:
        values = [x.value if type(x) is Node else x for x in values]
        try:
            form = out = primitive.value(*values)
        except (TypeError, ValueError, OverflowError) as error:
            raise refuse(primitive, inputs, {}, error) from None
    if not traced:
        return out
    shape, dtype = form.shape, form.dtype
    operands = primitive.operands
    site = _site()
    try:
        wanted = dtype if operands != "common" else np.result_type(*[_weak(x) for x in values])
        for i, node in enumerate(nodes):
            target = wanted if i or operands != "condition" else _BOOL
            if node is None:
                nodes[i] = node = constant(values[i], target)
            if node.dtype is not target and node.dtype != target:
                nodes[i] = node = _implicit(REGISTRY.cast, node, {"dtype": target}, node.shape, target, site)
            if node.shape != shape and (node.shape or node.kind != "constant"):  # a number stays a number
                nodes[i] = _implicit(REGISTRY.broadcast_to, node, {"shape": shape}, shape, target, site)
    except OverflowError:  # compared with an integer beyond all that its dtype holds: as good as infinite
        return elementwise(primitive, *(math.copysign(math.inf, x) if type(x) is int else x for x in inputs))
    return Array(Node(primitive, tuple(nodes), NO_PARAMS, shape, dtype, out, *site))


def _weak(x: Any) -> Any:
    """What NumPy's promotion looks at: a dtype, or the Python number itself."""
    return x.dtype if type(x) is Node else x


def _implicit(primitive: Structural, node: Node, params: dict[str, Any], shape: Any, dtype: Any, site: Site) -> Node:
    """A cast or broadcast that NumPy would do on the way; it holds no value until someone looks."""
    return Node(primitive, (node,), params, shape, dtype, None, *site[:-1], "part")


def _site() -> Site:
    """Where a node is being made, as the last arguments of ``Node``: trace, code, instruction, scope, origin, kind.

    Backward nodes stand where the forward one does.
    """
    here = state.__dict__  # one look-up of this thread's state instead of five
    origin = here["origin"]
    if origin is None:
        frame = user_frame()
        code, lasti = (None, 0) if frame is None else (frame.f_code, frame.f_lasti)
        return here["trace"], code, lasti, here["scope"], None, here["kind"]
    node = origin.node
    return here["trace"], node.code, node.lasti, node.scope, origin, "call"


def structural(primitive: Structural, *inputs: Any, **params: Any) -> Any:
    """Run a structural primitive and record it; several outputs come back as a tuple.

    Without an Array among the inputs nothing is recorded and plain NumPy values come back.
    """
    postponed = state.postpone
    if postponed and primitive.dtypes is not None:
        return _postponed(primitive, [as_array(x) for x in inputs], params)
    nodes: list[Any] = []
    values: list[Any] = []
    traced = False
    for x in inputs:
        if type(x) is Array:
            node = x._node if x._root is None else x.node
            if not node.trace.open:
                raise leak(x)
            value = node._value
            nodes.append(node)
            values.append(node if postponed else node.value if value is None else value)
            traced = True
        else:
            x = plain(x)
            if type(x) is Array:
                return structural(primitive, *map(_handle, inputs), **params)
            nodes.append(None)
            values.append(np.asarray(x) if type(x) is not np.ndarray else x)
    form: Any = structural_form(primitive, values, params) if postponed and traced and primitive.outputs == 1 else None
    if form is not None:
        sources = tuple(constant(x) if node is None else node for node, x in zip(nodes, values, strict=True))
        return Array(Node(primitive, sources, params, form.shape, form.dtype, None, *_site()))
    values = [x.value if type(x) is Node else x for x in values]
    try:
        out = primitive.value(*values, **params)
    except (TypeError, ValueError, IndexError, np.linalg.LinAlgError) as error:
        if isinstance(error, BacklightError):
            raise
        raise refuse(primitive, inputs, params, error) from None
    if not traced:
        return out
    site = _site()
    sources = tuple(constant(value) if node is None else node for node, value in zip(nodes, values, strict=True))
    if primitive.outputs == 1:
        return Array(Node(primitive, sources, params, out.shape, out.dtype, out, *site))
    whole = Node(primitive, sources, params, None, None, out, *site[:-1], "part")
    return tuple(
        Array(Node(REGISTRY.item, (whole,), {"k": k}, part.shape, part.dtype, part, *site))
        for k, part in enumerate(out)
    )


def _postponed(primitive: Structural, inputs: list[Array], params: dict[str, Any]) -> tuple[Array, ...]:
    """Record a primitive of several outputs that runs only if somebody looks at one of them."""
    assert primitive.dtypes is not None
    site = _site()
    whole = Node(primitive, tuple(x.node for x in inputs), params, None, None, None, *site[:-1], "part")
    shapes = primitive.shape(*(x.shape for x in inputs), **params)
    dtypes = primitive.dtypes(*(x.dtype for x in inputs), **params)
    return tuple(
        Array(Node(REGISTRY.item, (whole,), {"k": k}, shape, dtype, None, *site))
        for k, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True))
    )


HOOK.elementwise = elementwise
HOOK.structural = structural


def plain(x: Any) -> Any:
    """A value that NumPy's ufuncs take as it is: an array, a scalar or a Python number (lists are converted)."""
    if type(x) in _PLAIN or isinstance(x, np.generic):
        return x
    handle = _handle(x)
    return handle if isinstance(handle, Array) else _checked(np.asarray(x), x)


def _handle(x: Any) -> Any:
    """The Array that a primitive reads for ``x``, if it is one or a list that holds some; ``x`` itself otherwise."""
    return as_array(x) if isinstance(x, Array) or (isinstance(x, list | tuple) and _holds_array(x)) else x


def _checked(converted: Any, x: Any) -> Any:
    if converted.dtype.kind not in "biufc":
        raise DTypeError(message("not_numeric", str(user_source() or ""), type=type(x).__name__))
    return converted


def _holds_array(x: Any) -> bool:
    return isinstance(x, Array) or (isinstance(x, list | tuple) and any(_holds_array(member) for member in x))


def as_array(x: Any) -> Array:
    """``x`` as an Array: itself (a variable as it is now), a nested list with Arrays stacked, a constant otherwise."""
    if isinstance(x, Array):
        return x if type(x) is Array else Array(x.node)
    if isinstance(x, list | tuple) and _holds_array(x):
        return FUNCTIONS[np.stack]([as_array(member) for member in x])  # type: ignore[no-any-return]
    return Array(constant(plain(x) if not isinstance(x, list | tuple) else _checked(np.asarray(x), x)))


def array(value: Any, dtype: Any = None, *, name: str | None = None) -> Array:
    """A copy of ``value`` as a leaf that remembers what is done with it.

    >>> x = array([[1.0, 2.0], [3.0, 4.0]], name="x")
    >>> (x * x).sum().backward()
    >>> x.grad
    backlight.array([[2., 4.],
           [6., 8.]])

    Raises ``DTypeError`` for values that are not numbers.
    """
    if _holds_array(value):
        same = as_array(value)
        return same.copy() if dtype is None else same.astype(dtype)  # type: ignore[no-any-return]
    converted = _checked(np.array(value, dtype=dtype), value)
    node = input_node(converted, name)
    if name is None:
        frame = user_frame()
        if frame is not None:
            node.code, node.lasti = frame.f_code, frame.f_lasti
    return Array(node)


def leak(x: Array) -> LeakError:
    """The error for a value used after its trace has ended."""
    node = x._node
    return LeakError(message("leak", str(user_source() or ""), operand=describe(x), trace=node.trace.name))


def refuse_write(target: Array, shape: Any) -> Exception:
    """The error for writing a value of the wrong shape into ``target``."""
    return ShapeError(message("write_shape", str(user_source() or ""), target=describe(target), came=shape))


HOOK.plain = plain
HOOK.as_array = as_array
HOOK.array = Array
