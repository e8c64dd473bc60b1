"""What all optimisers have in common: clipping, accumulation, weight decay, averages, state, and Keras's interface.

The work is done by a pure function, ``stateless_apply(state, gradients, parameters) -> (parameters, state)``, in this
order: divide by the loss scale, accumulate, clip, decay, follow the rule, average, constrain, count. A state is a plain
tree of arrays, so a compiled epoch can hold it; ``apply_gradients`` is the same function with the results assigned to
the variables, and to the optimiser's own.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from backlight.array import Array
from backlight.errors import ArgumentError, CallError, ShapeError, message
from backlight.lifting import labels
from backlight.optim.clipping import cast, clip_by_global_norm, clip_by_norm, clip_by_value
from backlight.optim.rules import MOMENTUM, NOT_NEGATIVE, POSITIVE, RULES, Range, check_options, step_all
from backlight.optim.schedules import LearningRateSchedule
from backlight.optim.schedules import deserialize as deserialize_schedule
from backlight.optim.schedules import serialize as serialize_schedule
from backlight.optim.variable import check_dtype, check_variable, name_of, read, write
from backlight.trace import user_source
from backlight.tree import flatten, flatten_like, tree_map, unflatten
from backlight.variable import Variable, is_tracing, now

__all__ = ["COMMON", "Optimizer", "State"]

State = dict[str, Any]

COMMON: dict[str, tuple[Any, Range | None]] = {
    "weight_decay": (None, NOT_NEGATIVE),
    "clipnorm": (None, POSITIVE),
    "clipvalue": (None, POSITIVE),
    "global_clipnorm": (None, POSITIVE),
    "use_ema": (False, None),
    "ema_momentum": (0.99, MOMENTUM),
    "ema_overwrite_frequency": (None, (1, np.inf, "[)")),
    "loss_scale_factor": (None, POSITIVE),
    "gradient_accumulation_steps": (None, (2, np.inf, "[)")),
    "name": (None, None),
}
"""The arguments that every optimiser has, after its own: default and allowed range."""


class Leaf(NamedTuple):
    """What is done with one parameter: by which rule, with what decay, and what it is brought back to afterwards."""

    name: str
    rule: str
    decay: bool
    constraint: Callable[[Any], Any] | None = None


class Optimizer:
    """The base of all optimisers. A subclass names a row of ``RULES`` and the default of its rate:
    ``class Adam(Optimizer, rule="adam", rate=0.001)``. For a rule of your own, put it into ``RULES`` first.

    A variable is any object with ``value``, ``assign``, ``name``, ``shape`` and ``dtype``, or a NumPy array, which is
    changed in place. ``learning_rate`` is a number, a schedule, or a function without arguments.
    """

    rule: ClassVar[str] = ""
    arguments: ClassVar[dict[str, tuple[Any, Range | None]]] = {}

    name: str
    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None

    def __init_subclass__(
        cls, rule: str = "", rate: float = 0.001, arguments: dict[str, tuple[Any, Range | None]] | None = None
    ) -> None:
        if not rule:  # a class of the user's, which changes something about one of ours
            return
        cls.rule = rule
        own = {**RULES[rule].options, **COMMON} if arguments is None else arguments
        cls.arguments = {"learning_rate": (rate, None), **own}
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters = [inspect.Parameter(key, kind, default=value) for key, (value, _) in cls.arguments.items()]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    def __init__(self, *values: Any, **named: Any) -> None:
        kind = type(self).__name__
        where = str(user_source() or "")
        if not self.rule:
            raise ArgumentError(message("optim_unknown", where, came=kind, names=", ".join(RULES)))
        unknown = [key for key in named if key not in self.arguments]
        if unknown:
            facts = {"optimizer": kind, "came": ", ".join(unknown), "names": ", ".join(self.arguments)}
            raise ArgumentError(message("optim_option", where, **facts))
        signature = inspect.Signature(
            [
                inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
                for key, (value, _) in self.arguments.items()
            ]
        )
        try:
            given = signature.bind(*values, **named)
        except TypeError as error:
            facts = {"optimizer": kind, "reason": str(error), "signature": f"{kind}{signature}"}
            raise CallError(message("optim_arguments", where, **facts)) from None
        given.apply_defaults()
        options = dict(given.arguments)
        rate, name = options.pop("learning_rate"), options.pop("name")
        check_options(kind, options, self.arguments)
        for key in ("ema_overwrite_frequency", "gradient_accumulation_steps"):
            if options.get(key) is not None and not isinstance(options[key], int | np.integer):
                facts = {"optimizer": kind, "name": key, "came": repr(options[key]), "expected": "1, 2, 3, …"}
                raise ArgumentError(message("optim_range", where, **facts))
        limits = [key for key in ("clipnorm", "clipvalue", "global_clipnorm") if options.get(key) is not None]
        if len(limits) > 1:
            raise ArgumentError(message("optim_limits", where, optimizer=kind, came=", ".join(limits)))
        for key, value in options.items():
            setattr(self, key, value)
        self.name = name or re.sub(r"(?<!^)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", kind).lower()
        self._schedule: Callable[..., Any] | None = None
        self._state: State = {"iterations": self._own("iteration", np.zeros((), np.int64))}
        self._variables: list[Any] = []
        self._leaves: list[Leaf] = []
        self._places: dict[int, int] = {}
        self._excluded: set[int] = set()
        self._kept_alive: list[Any] = []  # an id means something only as long as the object lives
        self._pattern: re.Pattern[str] | None = None
        self.built = False
        self.learning_rate = rate

    def __setstate__(self, kept: dict[str, Any]) -> None:
        """After copying or unpickling: the copies of the variables have other identities."""
        self.__dict__.update(kept)
        self._places = {id(variable): number for number, variable in enumerate(self._variables)}
        self._excluded = {id(variable) for variable in self._kept_alive}

    def __repr__(self) -> str:
        rate = self._schedule if self._schedule is not None else float(self._state["learning_rate"].numpy())
        return f"<{type(self).__name__} learning_rate={rate}>"

    # -- Rate and count --------------------------------------------------------------------------------------------

    @property
    def schedule(self) -> Any:
        """What gives the learning rate of each step: a schedule or a function; ``None`` where it is a number."""
        return self._schedule

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step; a number or a schedule may be set at any time, for the steps to come."""
        return self._state["learning_rate"] if self._schedule is None else self._rate(self._now())

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        if isinstance(rate, dict):
            rate = deserialize_schedule(rate)
        if callable(rate):
            self._schedule = rate
            self._state.pop("learning_rate", None)
            return
        number = now(rate)
        if isinstance(number, Array):
            number = cast(number, np.float64)
        else:
            try:
                number = np.array(number, np.float64)
            except (TypeError, ValueError):
                number = np.array(np.nan)
            if isinstance(rate, bool | str) or number.shape != () or not 0 <= number < np.inf:
                facts = {"optimizer": type(self).__name__, "came": repr(rate)}
                raise ArgumentError(message("optim_rate", str(user_source() or ""), **facts))
        if "learning_rate" not in self._state:
            own = {"learning_rate": self._own("learning_rate", np.zeros(()))}
            self._state = {"iterations": self._state["iterations"]} | own | self._state
        self._schedule = None
        self._state["learning_rate"].assign(number)

    def _rate(self, state: State) -> Any:
        if self._schedule is None:
            return state["learning_rate"]
        if isinstance(self._schedule, LearningRateSchedule):
            return self._schedule(state["iterations"])
        return self._schedule()

    @property
    def iterations(self) -> Any:
        """How many steps there have been; with accumulation, how many times the parameters have moved."""
        count, steps = self._state["iterations"], self.gradient_accumulation_steps
        return count if steps is None else now(_array(count // steps))

    # -- State -----------------------------------------------------------------------------------------------------

    def build(self, variables: Iterable[Any]) -> None:
        """Make the state for these variables; the first ``apply_gradients`` does it where it has not been done.

        Raises ``ArgumentError`` for something that is no variable, or where the optimiser has others already,
        ``DTypeError`` for a variable that holds no real floating-point numbers.
        """
        variables = list(variables)
        if self.built:
            if len(variables) != len(self._variables) or any(id(v) not in self._places for v in variables):
                facts = {"optimizer": type(self).__name__}
                raise ArgumentError(message("optim_rebuilt", str(user_source() or ""), **facts))
            return
        for number, variable in enumerate(variables):
            check_variable(variable, number)
        self._variables = variables
        self._places = {id(variable): number for number, variable in enumerate(variables)}
        self._leaves = [
            self._leaf(name_of(variable, number), str(getattr(variable, "name", "")), variable)
            for number, variable in enumerate(variables)
        ]
        memory = self._memory(variables, self._leaves)
        words = {"accumulator": "gradient_accumulator"}
        for key in ("average", "accumulator"):
            if key in memory:
                held = zip(self._leaves, memory[key], strict=True)
                memory[key] = [self._own(f"{leaf.name}_{words.get(key, key)}", value) for leaf, value in held]
        memory["slots"] = [
            {key: self._own(f"{leaf.name}_{key}", value) for key, value in slots.items()}
            for leaf, slots in zip(self._leaves, memory["slots"], strict=True)
        ]
        self._state = {**self._state, **memory}
        self.built = True

    def _own(self, name: str, value: Any) -> Variable:
        return Variable(value, trainable=False, name=f"{self.name}/{name}")

    def _now(self) -> State:
        """The state as it is: traced where a transformation runs, otherwise views of the variables' memory."""
        held: State = tree_map(now, self._state)
        return held

    def init(self, parameters: Any) -> State:
        """The state for any tree of parameters, before the first step; the optimiser itself is left as it is.

        Raises ``DTypeError`` for a leaf that holds no real floating-point numbers.
        """
        values, structure = flatten(parameters)
        names = labels(structure, "parameters")
        for value, name in zip(values, names, strict=True):
            check_dtype(value, name)
        start = {key: self._state[key].numpy() for key in SCALARS if key in self._state}
        start["iterations"] = np.zeros((), np.int64)
        return {**start, **self._memory(values, self._leaves_of(values, names))}

    def _memory(self, parameters: Sequence[Any], leaves: Sequence[Leaf]) -> State:
        """The state apart from the count and the rate."""
        options = {leaf.rule: self._options(leaf.rule) for leaf in leaves}
        slots = [RULES[leaf.rule].slots(p, options[leaf.rule]) for p, leaf in zip(parameters, leaves, strict=True)]
        memory: State = {"slots": slots}
        for key, wanted in (("average", self.use_ema), ("accumulator", self.gradient_accumulation_steps)):
            if wanted:
                memory[key] = [np.zeros(p.shape, p.dtype) for p in parameters]
        return memory

    @property
    def state(self) -> State:
        """The optimiser's state, a plain tree: ``iterations``, ``learning_rate`` (unless it is a schedule), and once
        built ``slots``, a dictionary for each variable, ``average`` and ``accumulator``.

        It is a copy of what the optimiser's ``variables`` hold, and a state that is set is copied into them.
        """
        return self._now() if is_tracing() else tree_map(Variable.numpy, self._state)

    @state.setter
    def state(self, state: State) -> None:
        leaves, structure = flatten(self._state)
        kind, where = type(self).__name__, str(user_source() or "")
        try:
            given = flatten_like(state, structure, "state", where)
        except ArgumentError as error:
            raise ArgumentError(message("optim_state", where, optimizer=kind, problem=error)) from None
        given = [new if hasattr(new, "dtype") else np.asarray(new) for new in given]
        for new, old, name in zip(given, leaves, labels(structure, "state"), strict=True):
            if new.shape != old.shape or not np.can_cast(new.dtype, old.dtype, "same_kind"):
                problem = f"{name}: {new.dtype} {new.shape} != {old.dtype} {old.shape}"
                raise ArgumentError(message("optim_state", where, optimizer=kind, problem=problem))
        for new, old in zip(given, leaves, strict=True):
            old.assign(new)

    @property
    def variables(self) -> list[Variable]:
        """Every array of the state by a name, as Keras lists them."""
        return [variable for _, _, variable in self.holdings()]

    def holdings(self) -> Iterator[tuple[str, Any, Variable]]:
        """Every array of the state: what it is, for which variable (``None``: for all), and the array itself.

        >>> from backlight.optim import SGD
        >>> [what for what, _, _ in SGD().holdings()]
        ['iterations', 'learning_rate']
        """
        yield from ((key, None, self._state[key]) for key in SCALARS if key in self._state)
        for key in ("average", "accumulator"):
            for parameter, held in zip(self._variables, self._state.get(key, ()), strict=False):
                yield key, parameter, held
        for parameter, slots in zip(self._variables, self._state.get("slots", ()), strict=False):
            yield from ((key, parameter, held) for key, held in slots.items())

    @property
    def parameters(self) -> list[Any]:
        """The variables that the optimiser was built for."""
        return list(self._variables)

    # -- Which parameter is treated how ----------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """No weight decay for these variables, nor for those in whose name one of ``var_names`` (patterns) is found.

        Raises ``ArgumentError`` once the optimiser is built, or for something that is no pattern.
        """
        if self.built:
            raise ArgumentError(message("optim_built", str(user_source() or ""), optimizer=type(self).__name__))
        self._kept_alive = list(var_list or ())
        self._excluded = {id(variable) for variable in self._kept_alive}
        patterns = sorted(set(var_names or ()))
        try:
            self._pattern = re.compile("|".join(patterns)) if patterns else None
        except (re.error, TypeError) as error:
            facts = {"optimizer": type(self).__name__, "name": "var_names", "came": repr(patterns), "expected": error}
            raise ArgumentError(message("optim_range", str(user_source() or ""), **facts)) from None

    @property
    def without_weight_decay(self) -> tuple[list[Any], list[str]]:
        """What ``exclude_from_weight_decay`` was told: variables and patterns."""
        return list(self._kept_alive), [] if self._pattern is None else [self._pattern.pattern]

    def _leaf(self, path: str, name: str, variable: Any) -> Leaf:
        named = self._pattern is not None and self._pattern.search(name) is not None
        rule = self._rule_of(path, tuple(variable.shape))
        decay = id(variable) not in self._excluded and not named
        return Leaf(path, rule, decay, getattr(variable, "constraint", None))

    def _leaves_of(self, values: Sequence[Any], names: Sequence[str]) -> list[Leaf]:
        if not self.built:
            return [self._leaf(name, name, value) for name, value in zip(names, values, strict=True)]
        if len(values) != len(self._leaves):
            facts = {"optimizer": type(self).__name__, "came": len(values), "expected": len(self._leaves)}
            raise ArgumentError(message("optim_count", str(user_source() or ""), **facts))
        return self._leaves

    def _rule_of(self, path: str, shape: tuple[int, ...]) -> str:
        """The row of the table for a parameter."""
        return self.rule

    def _options(self, rule: str) -> SimpleNamespace:
        """The options of a row, as they are set now."""
        return SimpleNamespace(**{key: getattr(self, key) for key in RULES[rule].options})

    def _rate_of(self, rule: str, rate: Any) -> Any:
        return rate

    def _decay_of(self, rule: str) -> float | None:
        return self.weight_decay

    # -- Steps -----------------------------------------------------------------------------------------------------

    def stateless_apply(self, state: State, gradients: Any, parameters: Any) -> tuple[Any, State]:
        """One step as a pure function: the new parameters, nested as before, and the new state.

        ``state`` is what ``init(parameters)`` or the last step gave; a gradient may be ``None`` where both are lists.
        Nothing that is given is changed, and all of it may be traced: inside ``backlight.compile`` and ``Epoch``.

        Raises ``ArgumentError`` for a number or nesting of gradients that does not match the parameters, ``ShapeError``
        for a gradient of another shape than its parameter.
        """
        values, structure = flatten(parameters)
        names = labels(structure, "parameters")
        where = str(user_source() or "")
        lists = isinstance(gradients, list | tuple) and isinstance(parameters, list | tuple)
        if lists and len(parameters) == len(values) == len(gradients):
            given = list(gradients)
        else:
            given = flatten_like(gradients, structure, "gradients", where)
        leaves = self._leaves_of(values, names)
        for g, p, leaf in zip(given, values, leaves, strict=True):
            if g is not None and np.shape(g) != tuple(p.shape):
                facts = {"name": leaf.name, "came": np.shape(g), "expected": tuple(p.shape)}
                raise ShapeError(message("optim_shape", where, **facts))
        if "slots" not in state or len(state["slots"]) != len(values):
            problem = f"slots: {len(state.get('slots', ()))} != {len(values)}"
            raise ArgumentError(message("optim_state", where, optimizer=type(self).__name__, problem=problem))
        with np.errstate(all="ignore"):  # what overflows is to be seen in the numbers, traced or not
            moved, new = self._step(state, given, values, leaves)
        return unflatten(structure, moved), new

    def _step(
        self, state: State, gradients: Sequence[Any], values: Sequence[Any], leaves: Sequence[Leaf]
    ) -> tuple[list[Any], State]:
        new, count, every = dict(state), state["iterations"], self.gradient_accumulation_steps
        steps = count if every is None else count // every
        gradients = [None if g is None else cast(g, p.dtype) for g, p in zip(gradients, values, strict=True)]
        if self.loss_scale_factor is not None:
            gradients = [None if g is None else g / self.loss_scale_factor for g in gradients]
        moves: Any = None
        if every is not None:
            moves = (count + 1) % every == 0
            sums = [a if g is None else a + g for a, g in zip(state["accumulator"], gradients, strict=True)]
            gradients = [None if g is None else a / every for a, g in zip(sums, gradients, strict=True)]
            new["accumulator"] = [np.where(moves, np.zeros(a.shape, a.dtype), a) for a in sums]
        moved, new["slots"] = self._move(self._clipped(gradients), state, values, leaves, steps)
        if every is not None:
            moved = [_chosen(moves, now, before) for now, before in zip(moved, values, strict=True)]
            new["slots"] = [
                {key: _chosen(moves, now[key], before[key]) for key in before}
                for now, before in zip(new["slots"], state["slots"], strict=True)
            ]
        if self.use_ema:
            share = np.where(steps == 0, 0.0, self.ema_momentum)
            averages = [
                a * cast(share, p.dtype) + p * cast(1 - share, p.dtype)
                for a, p in zip(state["average"], moved, strict=True)
            ]
            new["average"] = averages
            if self.ema_overwrite_frequency is not None:
                now = (steps + 1) % self.ema_overwrite_frequency == 0
                moved = [_chosen(now, a, p) for a, p in zip(averages, moved, strict=True)]
        moved = [p if leaf.constraint is None else leaf.constraint(p) for p, leaf in zip(moved, leaves, strict=True)]
        new["iterations"] = count + 1
        made, structure = flatten(new)
        return [_array(p) for p in moved], unflatten(structure, [_array(leaf) for leaf in made])

    def _clipped(self, gradients: Sequence[Any]) -> Sequence[Any]:
        if self.clipnorm is not None:
            return clip_by_norm(gradients, self.clipnorm)
        if self.global_clipnorm is not None:
            return clip_by_global_norm(gradients, self.global_clipnorm)
        return gradients if self.clipvalue is None else clip_by_value(gradients, self.clipvalue)

    def _move(
        self, gradients: Sequence[Any], state: State, values: Sequence[Any], leaves: Sequence[Leaf], steps: Any
    ) -> tuple[list[Any], list[Any]]:
        """Weight decay and the rule, for every parameter that has a gradient; those of one rule together."""
        rate = self._rate(state)
        moved, slots = list(values), list(state["slots"])
        present = [k for k, g in enumerate(gradients) if g is not None]
        for rule in sorted({leaves[k].rule for k in present}):
            places = [k for k in present if leaves[k].rule == rule]
            decay = self._decay_of(rule)
            if decay is not None:
                shrink = cast(rate, np.float64) * decay
                for k in places:
                    if leaves[k].decay:
                        moved[k] = moved[k] - moved[k] * cast(shrink, moved[k].dtype)
            results = step_all(
                RULES[rule],
                [gradients[k] for k in places],
                [slots[k] for k in places],
                [moved[k] for k in places],
                steps,
                self._rate_of(rule, rate),
                self._options(rule),
            )
            for k, p, own in zip(places, *results, strict=True):
                moved[k], slots[k] = p, own
        return moved, slots

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]]) -> Any:
        """One step: every variable follows its gradient. Returns the number of steps so far.

        >>> from backlight.optim import SGD
        >>> w = np.array([1.0, 2.0])
        >>> int(SGD(0.1).apply_gradients([(np.array([1.0, -1.0]), w)])), w
        (1, array([0.9, 2.1]))

        Inside ``backlight.compile`` the step becomes part of the compiled function; inside other transformations use
        ``stateless_apply``.

        Raises ``ArgumentError`` for no gradient at all, for a variable that the optimiser was not built for, and inside
        a traced function that knows nothing of variables; ``ShapeError`` for a gradient that does not fit.
        """
        pairs = list(grads_and_vars)
        return self.apply([g for g, _ in pairs], [v for _, v in pairs])

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> Any:
        """``apply_gradients`` with gradients and variables apart; without variables, those of ``build``."""
        kind, where = type(self).__name__, str(user_source() or "")
        gradients = list(grads)
        variables = self._variables if trainable_variables is None else list(trainable_variables)
        if not self.built and trainable_variables is None:
            raise ArgumentError(message("optim_not_built", where, optimizer=kind))
        if len(gradients) != len(variables):
            facts = {"optimizer": kind, "came": len(gradients), "expected": len(variables)}
            raise ArgumentError(message("optim_count", where, **facts))
        if len({id(variable) for variable in variables}) < len(variables):
            raise ArgumentError(message("optim_twice", where, optimizer=kind))
        if all(g is None for g in gradients):
            raise ArgumentError(message("optim_no_gradients", where, optimizer=kind))
        self.build(variables if not self.built else self._variables)
        given: list[Any] = [None] * len(self._variables)
        for number, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
            if id(variable) not in self._places:
                facts = {"name": name_of(variable, number), "count": len(self._variables), "optimizer": kind}
                raise ArgumentError(message("optim_stranger", where, **facts))
            given[self._places[id(variable)]] = None if gradient is None else _gradient(gradient)
        without = [name_of(v, k) for k, (g, v) in enumerate(zip(gradients, variables, strict=True)) if g is None]
        if without:
            text = message("optim_some_gradients", optimizer=kind, names=", ".join(without))
            warnings.warn(text, stacklevel=3)
        moved, state = self.stateless_apply(self._now(), given, [read(variable) for variable in self._variables])
        for variable, value, gradient in zip(self._variables, moved, given, strict=True):
            if gradient is not None or self.use_ema:
                write(variable, value)
        self.state = state
        return self.iterations

    def scale_loss(self, loss: Any) -> Any:
        """``loss · loss_scale_factor``: what to differentiate, so that small gradients do not vanish in float16."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Any] | None = None) -> None:
        """With ``use_ema``, write the averages into the variables: the end of training.

        Raises ``ArgumentError`` where the optimiser has not been built, or for a variable it was not built for.
        """
        if not self.use_ema:
            return
        where, kind = str(user_source() or ""), type(self).__name__
        if not self.built:
            raise ArgumentError(message("optim_not_built", where, optimizer=kind))
        for number, variable in enumerate(self._variables if var_list is None else var_list):
            if id(variable) not in self._places:
                facts = {"name": name_of(variable, number), "count": len(self._variables), "optimizer": kind}
                raise ArgumentError(message("optim_stranger", where, **facts))
            write(variable, self._state["average"][self._places[id(variable)]].numpy())

    # -- Configuration ---------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimiser, as plain data; the state is not part of it."""
        rate: Any = self._schedule
        if rate is None:
            rate = float(self._state["learning_rate"].numpy())
        elif isinstance(rate, LearningRateSchedule):
            rate = serialize_schedule(rate)
        return {key: rate if key == "learning_rate" else getattr(self, key) for key in self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
        """The optimiser that ``get_config`` described; a schedule of your own is looked up in ``custom_objects``.

        >>> from backlight.optim import Adam
        >>> Adam.from_config(Adam(0.01, beta_1=0.8).get_config()).get_config()["beta_1"]
        0.8
        """
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize_schedule(config["learning_rate"], custom_objects)
        return cls(**config)


SCALARS = ("iterations", "learning_rate")


def _array(x: Any) -> Any:
    """NumPy gives scalars where an array has no axes; a state holds arrays, which can be updated in place."""
    return np.asarray(x) if isinstance(x, np.generic) else x


def _chosen(condition: Any, now: Any, before: Any) -> Any:
    return now if now is before else np.where(condition, now, before)


def _gradient(gradient: Any) -> Any:
    value = now(gradient)
    return value if hasattr(value, "dtype") else np.asarray(value, np.float64)
