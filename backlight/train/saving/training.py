"""What ``compile`` was asked for, as plain data, and a model compiled with it again.

    {"optimizer": {"class_name": …, "config": …}, "parameters": [path, …] or null, "without_decay": …,
     "loss": …, "loss_weights": …, "metrics": …, "weighted_metrics": …, "outputs": … or null, "jit_compile": true}

A loss or metric is a name of a table, ``{"class_name": …, "config": …}``, or ``{"function": name}``; several are a
list, or ``{"by_name": {output: …}}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from backlight import optim
from backlight.errors import StateError, message
from backlight.nn import losses
from backlight.nn.lookup import Names, name_of
from backlight.nn.losses.common import here
from backlight.train.metrics.names import NAMES as METRICS
from backlight.train.position import Position
from backlight.train.saving.paths import unique, variables_by_path
from backlight.train.saving.plain import Malformed
from backlight.variable import Variable

__all__ = ["checked_position", "compiled_again", "described_training", "training_variables"]

TABLES: dict[str, Names] = {"loss": losses.objects.NAMES, "metric": METRICS}
OBJECTIVES = (("loss", "loss"), ("metrics", "metric"), ("weighted_metrics", "metric"))
"""Arguments of ``compile``, and the table in which their names are looked up."""


# -- Writing down ----------------------------------------------------------------------------------------------------


def described_training(model: Any) -> dict[str, Any]:
    """What a compiled model was compiled with.

    Raises ``StateError`` for an optimiser of variables that are not the model's, ``Malformed`` for a nameless function.
    """
    optimizer, objectives = model.optimizer, model._objectives
    name_of(optimizer)
    if isinstance(optimizer._schedule, optim.schedules.LearningRateSchedule):
        name_of(optimizer._schedule)
    variables, patterns = optimizer.without_weight_decay
    paths = _paths(model)
    return {
        "optimizer": optim.serialize(optimizer),
        "parameters": [_path(paths, each, optimizer) for each in optimizer.parameters] if optimizer.built else None,
        "without_decay": {"variables": [_path(paths, each, optimizer) for each in variables], "names": patterns},
        **{name: _described(getattr(objectives, name), kind) for name, kind in OBJECTIVES},
        "loss_weights": _described(objectives.loss_weights, ""),
        "outputs": {"names": objectives.names, "shapes": objectives.shapes} if objectives.built else None,
        "jit_compile": model._native,
    }


def _paths(model: Any) -> dict[int, str]:
    return {id(variable): path for path, variable in variables_by_path(model).items()}


def _path(paths: Mapping[int, str], variable: Any, optimizer: Any) -> str:
    if id(variable) not in paths:
        name = getattr(variable, "path", type(variable).__name__)
        raise StateError(message("state_stranger", here(), optimizer=type(optimizer).__name__, name=name))
    return paths[id(variable)]


def _described(given: Any, kind: str) -> Any:
    if given is None or isinstance(given, str | bool | int | float | np.generic):
        return given
    if isinstance(given, list | tuple):
        return [_described(each, kind) for each in given]
    if isinstance(given, Mapping):
        return dict(given) if "class_name" in given else {"by_name": {k: _described(v, kind) for k, v in given.items()}}
    if isinstance(given, losses.Loss) and kind == "metric":
        return {"loss": _described(given, "loss")}
    if hasattr(given, "get_config"):
        return TABLES[kind].serialize(given)
    name = name_of(given)
    if not name.isidentifier():
        raise Malformed("", message("state_not_plain", came=name))
    return {"function": name}


# -- Making again ----------------------------------------------------------------------------------------------------


def compiled_again(model: Any, described: Mapping[str, Any], custom_objects: Mapping[str, Any]) -> None:
    """Compile the model with what was written down, and make the state of its optimiser and metrics.

    Raises ``Malformed`` for what describes no training, and whatever a class raises that cannot be made.
    """
    optimizer = optim.deserialize(described.get("optimizer"), dict(custom_objects))  # type: ignore[arg-type]
    asked = {name: _made(described.get(name), kind, custom_objects, name) for name, kind in OBJECTIVES}
    weights = _made(described.get("loss_weights"), "", custom_objects, "loss_weights")
    model.compile(optimizer, loss_weights=weights, jit_compile=described.get("jit_compile") is True, **asked)
    variables = variables_by_path(model)
    without = _form(described.get("without_decay"), "without_decay", {"variables": list, "names": list})
    excluded = [_variable(variables, path, "without_decay") for path in without["variables"]]
    if excluded or without["names"]:
        optimizer.exclude_from_weight_decay(excluded, without["names"])
    parameters = described.get("parameters")
    if parameters is not None:
        if not isinstance(parameters, list):
            raise Malformed("parameters", message("state_form", came=repr(parameters)[:80]))
        optimizer.build([_variable(variables, path, "parameters") for path in parameters])
    if described.get("outputs") is not None:
        outputs = _form(described["outputs"], "outputs", {"names": list, "shapes": list})
        shapes = [tuple(_shape(each) for each in pair) for pair in outputs["shapes"]]
        labels, predictions = (
            [np.broadcast_to(np.float32(0), each) for each in side] for side in zip(*shapes, strict=True)
        )
        one = len(shapes) == 1
        model._objectives.build(labels[0] if one else labels, predictions[0] if one else predictions, outputs["names"])


def _form(given: Any, place: str, keys: Mapping[str, type]) -> Any:
    if not isinstance(given, dict) or not all(isinstance(given.get(key), kind) for key, kind in keys.items()):
        raise Malformed(place, message("state_form", came=repr(given)[:80]))
    return given


def _shape(given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or not all(type(n) is int and 0 <= n < 1 << 31 for n in given):
        raise Malformed("outputs.shapes", message("state_shape", came=repr(given)[:80]))
    return tuple(given)


def _variable(variables: Mapping[str, Variable], path: Any, place: str) -> Variable:
    if not isinstance(path, str) or path not in variables:
        raise Malformed(place, message("state_no_variable", name=str(path)[:80]))
    return variables[path]


def _made(given: Any, kind: str, custom_objects: Mapping[str, Any], place: str) -> Any:
    if isinstance(given, list):
        return [_made(each, kind, custom_objects, place) for each in given]
    if not isinstance(given, dict):
        return given
    if set(given) == {"by_name"} and isinstance(given["by_name"], dict):
        return {name: _made(each, kind, custom_objects, place) for name, each in given["by_name"].items()}
    if set(given) == {"loss"} and kind == "metric":
        return _made(given["loss"], "loss", custom_objects, place)
    if kind and set(given) == {"function"} and isinstance(given["function"], str):
        tables = (TABLES[kind], TABLES["loss"])  # a loss may be a metric
        known = next((table for table in tables if given["function"] in table.things), tables[0])
        return known.find(given["function"], custom_objects)
    if kind and "class_name" in given:
        return TABLES[kind].deserialize(given, custom_objects)
    raise Malformed(place, message("state_form", came=repr(given)[:80]))


def _counts(given: Any, most: int = 1 << 63) -> bool:
    return isinstance(given, list) and all(type(n) is int and 0 <= n < most for n in given)


STANDING: dict[str, Callable[[Any], bool]] = {
    "key": lambda given: _counts(given, 1 << 32) and len(given) == 2,
    "epoch": lambda given: _counts([given]),
    "step": lambda given: _counts([given]),
    "seen": lambda given: _counts([given]),
    "stream": lambda given: given is None or isinstance(given, dict),
    "history": lambda given: isinstance(given, dict) and all(isinstance(each, list) for each in given.values()),
    "epochs": lambda given: _counts(given),
    "logs": lambda given: isinstance(given, dict),
}
"""What a position is made of, and what each part must be."""


def checked_position(given: Mapping[str, Any]) -> Position:
    """Where training stands, of what a file says.

    >>> checked_position(Position([7, 0], seen=3).plain()).seen
    3

    Raises ``Malformed``.
    """
    if set(given) != {each.name for each in fields(Position)}:
        raise Malformed("", message("state_form", came=", ".join(map(repr, given))[:80]))
    for name, value in given.items():
        if not STANDING[name](value):
            raise Malformed(name, message("state_form", came=repr(value)[:80]))
    return Position(**given)


# -- State -----------------------------------------------------------------------------------------------------------


def training_variables(model: Any) -> dict[str, Variable]:
    """The arrays of the optimiser's and the metrics' state, by what they are and whose.

    >>> from backlight.nn.layers import Dense
    >>> from backlight.train.model import Sequential
    >>> model = Sequential([Dense(1, input_shape=(2,))])
    >>> model.compile("sgd", "mse")
    >>> list(training_variables(model))
    ['optimizer/iterations', 'optimizer/learning_rate']
    """
    paths, taken = _paths(model), set[str]()
    found = {}
    for what, parameter, variable in model.optimizer.holdings():
        whose = "" if parameter is None else f"{_path(paths, parameter, model.optimizer)}/"
        found[unique(f"optimizer/{whose}{what}", taken)] = variable
    for metric in model.metrics:
        place = unique(f"metrics/{metric.name}", taken)
        own: set[str] = set()
        for variable in metric.variables:
            found[f"{place}/{unique(variable.path.rsplit('/', 1)[-1] or 'state', own)}"] = variable
    return found
