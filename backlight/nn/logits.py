"""What a probability was computed from: log p without the detour over p.

A softmax or a sigmoid that saturates has rounded its answer to 0 or 1, and no logarithm brings back what was lost. But
the array knows the call that made it, so cross-entropy can ask for the numbers that went in:

    log softmax(x) = x - log Σ exp(x)        log sigmoid(x) = -log(1 + exp(-x))

Recognised are ``backlight.softmax`` and ``backlight.sigmoid`` and what people write for them with NumPy
(``1 / (1 + np.exp(-x))``, ``e / e.sum(axis, keepdims=True)``, ``np.exp(log_softmax)``), also behind what only moves
elements or changes the dtype (reshape, transpose, slices, repetition, ``astype``). The gradient then arrives at the
logits directly, and what was asked of the probabilities themselves is 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from backlight import functions
from backlight.array import Array
from backlight.graph import Node
from backlight.primitive import REGISTRY as P

__all__ = ["Origin", "log_probabilities", "logits_of", "origin_of"]

_MOVES = frozenset({"broadcast_to", "cast", "flip", "identity", "reshape", "slice", "transpose"})


class Origin(NamedTuple):
    """How probabilities were made: ``kind`` (``softmax``, ``sigmoid`` or ``exp``) of ``logits``, then ``moves``.

    ``axis`` are those along which a softmax adds up to 1; ``moves`` are in the order in which they ran.
    """

    kind: str
    logits: Array
    axis: tuple[int, ...]
    moves: tuple[Node, ...]

    @property
    def keeps_rows(self) -> bool:
        """Whether the rows along the last axis are those that add up to 1, whole, after all moves too."""
        last = len(self.logits.shape) - 1
        return self.axis == (last,) and all(map(_keeps_rows, self.moves))

    def moved(self, x: Any) -> Any:
        """``x``, element by element where the probability made of it is."""
        for node in self.moves:
            assert node.primitive is not None
            x = getattr(P, node.primitive.name)(x, **node.params)
        return x


def origin_of(p: Any) -> Origin | None:
    """How ``p`` was made; ``None`` for plain numbers and for anything that is not recognised.

    >>> import backlight
    >>> x = backlight.array([[1.0, 2.0]])
    >>> origin_of(backlight.softmax(x).reshape(2)).kind, origin_of(x)
    ('softmax', None)
    """
    if not isinstance(p, Array):
        return None
    node, moves = p.node, []
    while _operation(node) in _MOVES and node.dtype.kind == "f":
        moves.append(node)
        node = node.inputs[0]
    found = _RECOGNISE.get(_operation(node), _nothing)(node)
    return found and found._replace(moves=tuple(reversed(moves)))


def logits_of(p: Any, kind: str) -> Any:
    """The logits of probabilities that a ``kind`` (``"sigmoid"`` or ``"softmax"``) made; ``None`` for others.

    >>> import backlight
    >>> logits_of(backlight.sigmoid(backlight.array([0.0, 1e4])), "sigmoid")
    backlight.array([    0., 10000.])
    """
    origin = origin_of(p)
    return origin.moved(origin.logits) if origin is not None and origin.kind == kind else None


def log_probabilities(p: Any) -> Any:
    """``log p`` from the numbers that ``p`` was made from; ``None`` where they are not known.

    >>> import backlight
    >>> log_probabilities(backlight.softmax(backlight.array([0.0, 1e4])))
    backlight.array([-10000.,      0.])
    """
    origin = origin_of(p)
    if origin is None:
        return None
    x = origin.logits
    if origin.kind == "softmax":
        x = x - functions.logsumexp(x, axis=origin.axis, keepdims=True)
    elif origin.kind == "sigmoid":
        x = -functions.softplus(-x)
    return origin.moved(x)


def _keeps_rows(move: Node) -> bool:
    before, after = move.inputs[0].shape, move.shape
    turned = _operation(move) == "transpose" and move.params["axes"][-1] != len(before) - 1
    return bool(before and after and before[-1] == after[-1]) and not turned


def _operation(node: Node) -> str:
    return "" if node.primitive is None else node.primitive.name


def _nothing(node: Node) -> Origin | None:
    return None


def _made(kind: str, logits: Node, axis: tuple[int, ...] = ()) -> Origin:
    return Origin(kind, Array(logits), axis, ())


def _called(node: Node) -> Origin:
    return _made(_operation(node), node.inputs[0], node.params.get("axis", ()))


def _exponential(node: Node) -> Origin | None:
    """``exp(v)`` has the logarithm v, whatever v is."""
    return _made("exp", node.inputs[0]) if _operation(node) == "exp" else None


def _is(node: Node, number: float) -> bool:
    """Whether the node is this constant, as often repeated as may be."""
    while _operation(node) in ("broadcast_to", "cast"):
        node = node.inputs[0]
    return node.kind == "constant" and node.primitive is None and node.shape == () and bool(node.value == number)


def _one_plus_exponential(node: Node) -> Node | None:
    """z where the node is ``1 + exp(z)``."""
    if _operation(node) == "add":
        for one, other in (node.inputs, node.inputs[::-1]):
            if _is(one, 1.0) and _operation(other) == "exp":
                return other.inputs[0]
    return None


def _logistic(node: Node) -> Origin | None:
    """``1 / (1 + exp(z))`` is sigmoid(-z)."""
    z = _one_plus_exponential(node)
    if z is None:
        return None
    if _operation(z) == "negative":
        return _made("sigmoid", z.inputs[0])
    return Origin("sigmoid", -Array(z), (), ())


def _quotient(node: Node) -> Origin | None:
    above, below = node.inputs
    if _is(above, 1.0):
        return _logistic(below)
    if _operation(above) != "exp":
        return None
    z = _one_plus_exponential(below)
    if z is above.inputs[0]:
        return _made("sigmoid", z)  # exp(z) / (1 + exp(z))
    return _normalised(above, below)


def _normalised(above: Node, below: Node) -> Origin | None:
    """``e / Σ e`` with e = exp(z), where the sum stands beside the elements it is the sum of."""
    while _operation(below) == "broadcast_to":
        below = below.inputs[0]
    shape = below.shape
    while _operation(below) == "reshape":
        below = below.inputs[0]
    if _operation(below) != "sum":
        return None
    terms, axis = below.inputs[0], tuple(below.params["axis"])
    same = terms is above or (_operation(terms) == "exp" and terms.inputs[0] is above.inputs[0])
    kept = tuple(1 if k in axis else length for k, length in enumerate(above.shape))
    if not same or (1,) * (len(kept) - len(shape)) + tuple(shape) != kept:
        return None
    return _made("softmax", above.inputs[0], axis)


def _power(node: Node) -> Origin | None:
    return _logistic(node.inputs[0]) if _is(node.inputs[1], -1.0) else None


_RECOGNISE = {
    "softmax": _called,
    "sigmoid": _called,
    "exp": _exponential,
    "divide": _quotient,
    "reciprocal": lambda node: _logistic(node.inputs[0]),
    "power": _power,
}
