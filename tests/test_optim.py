"""Optimisers as people use them: Keras's classes over one pure step, their state, what all have in common."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable
from string import Formatter
from typing import Any

import numpy as np
import pytest
from refused import said

import backlight
import backlight.variable
from backlight import optim
from backlight.compiler.epoch import Epoch
from backlight.errors import ArgumentError, BacklightError, CallError, DTypeError, ShapeError
from backlight.optim import OPTIMIZERS, SGD, Adam, AdamW, Muon, Optimizer, RMSprop
from backlight.optim.schedules import CosineDecay, PiecewiseConstantDecay
from backlight.tree import flatten

RULES = [name for name in OPTIMIZERS if name != "lbfgs"]


class Variable:
    """The least that a model's variable is."""

    def __init__(self, value: Any, name: str = "variable", constraint: Any = None) -> None:
        self.value, self.name, self.constraint = np.array(value), name, constraint

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    def assign(self, value: Any) -> None:
        self.value = np.array(value, self.dtype)


def parameters(dtype: Any = np.float64, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shapes = {"kernel": (3, 4), "bias": (4,), "scale": ()}
    return {name: np.array(rng.normal(size=shape), dtype) for name, shape in shapes.items()}


def gradients(count: int, dtype: Any = np.float64) -> list[dict[str, Any]]:
    return [parameters(dtype, seed) for seed in range(1, count + 1)]


def made(name: str, /, **options: Any) -> Optimizer:
    return OPTIMIZERS[name](0.05, **options)


def after(optimizer: Optimizer, steps: list[dict[str, Any]]) -> tuple[dict[str, Any], Any]:
    values = {name: value.astype(steps[0][name].dtype) for name, value in parameters().items()}
    state = optimizer.init(values)
    for g in steps:
        values, state = optimizer.stateless_apply(state, g, values)
    return values, state


def assert_near(got: Any, want: Any, near: float = 1e-13) -> None:
    ours, theirs = flatten(got)[0], flatten(want)[0]
    assert len(ours) == len(theirs)
    for x, y in zip(ours, theirs, strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        np.testing.assert_allclose(x, y, rtol=near, atol=near)


# -- Keras's interface -----------------------------------------------------------------------------------------------

AFTER = (
    "weight_decay=None clipnorm=None clipvalue=None global_clipnorm=None use_ema=False ema_momentum=0.99 "
    "ema_overwrite_frequency=None loss_scale_factor=None gradient_accumulation_steps=None name=None"
)
WITHOUT_DECAY = AFTER.removeprefix("weight_decay=None ")
SIGNATURES = {
    "SGD": f"learning_rate=0.01 momentum=0.0 nesterov=False {AFTER}",
    "Adagrad": f"learning_rate=0.001 initial_accumulator_value=0.1 epsilon=1e-07 {AFTER}",
    "Adadelta": f"learning_rate=0.001 rho=0.95 epsilon=1e-07 {AFTER}",
    "RMSprop": f"learning_rate=0.001 rho=0.9 momentum=0.0 epsilon=1e-07 centered=False {AFTER}",
    "Adam": f"learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-07 amsgrad=False {AFTER}",
    "AdamW": "learning_rate=0.001 weight_decay=0.004 beta_1=0.9 beta_2=0.999 epsilon=1e-07 amsgrad=False "
    + WITHOUT_DECAY,
    "Adamax": f"learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-07 {AFTER}",
    "Nadam": f"learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-07 {AFTER}",
    "Lion": f"learning_rate=0.001 beta_1=0.9 beta_2=0.99 {AFTER}",
    "Lamb": f"learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-07 {AFTER}",
    "Muon": "learning_rate=0.001 adam_beta_1=0.9 adam_beta_2=0.999 adam_weight_decay=0.004 epsilon=1e-07 "
    f"weight_decay=0.004 {WITHOUT_DECAY} exclude_layers=None exclude_embeddings=True muon_a=3.4445 muon_b=-4.775 "
    "muon_c=2.0315 adam_lr_ratio=1 momentum=0.95 ns_steps=5 nesterov=True rms_rate=0.2",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_are_those_of_keras(name: str) -> None:
    found = inspect.signature(getattr(optim, name)).parameters.values()
    assert " ".join(f"{each.name}={each.default!r}" for each in found) == SIGNATURES[name]


def test_every_class_is_listed() -> None:
    assert {kind.__name__ for key, kind in OPTIMIZERS.items() if key != "lbfgs"} == set(SIGNATURES)


@pytest.mark.parametrize("name", RULES)
def test_an_optimiser_comes_back_from_its_configuration(name: str) -> None:
    changed = {"clipnorm": 0.5, "use_ema": True, "weight_decay": 0.25, "gradient_accumulation_steps": 4, "name": "mine"}
    for optimizer in (OPTIMIZERS[name](), made(name, **changed), OPTIMIZERS[name](CosineDecay(0.1, 5))):
        data = json.loads(json.dumps(optim.serialize(optimizer)))
        for again in (optim.deserialize(data), optim.get(data), type(optimizer).from_config(data["config"])):
            assert type(again) is type(optimizer)
            assert again.get_config() == optimizer.get_config()
    assert optim.get(name.upper()).get_config() == OPTIMIZERS[name]().get_config()
    assert made(name, **changed).get_config()["weight_decay"] == 0.25
    keras = {"module": "keras.optimizers", "registered_name": None, "class_name": type(optimizer).__name__}
    assert type(optim.get({**keras, "config": {"learning_rate": 0.5}})) is type(optimizer)


def test_positions_are_names() -> None:
    assert SGD(0.5, 0.9, True).get_config() == SGD(learning_rate=0.5, momentum=0.9, nesterov=True).get_config()
    assert SGD().name == "sgd"
    assert AdamW().name == "adam_w"


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kind", ["array", "backlight.array", "variable"])
def test_apply_gradients_is_the_pure_step(name: str, kind: str) -> None:
    make = {"array": np.array, "backlight.array": backlight.array, "variable": Variable}[kind]
    steps = gradients(4)
    pure, state = after(made(name), steps)
    variables = {key: make(value) for key, value in parameters().items()}
    optimizer = made(name)
    for count, g in enumerate(steps, 1):
        done = optimizer.apply_gradients([(g[key], variable) for key, variable in variables.items()])
        assert int(done) == int(optimizer.iterations) == count
    for key, variable in variables.items():
        value = getattr(variable, "value", variable)
        assert type(value) is np.ndarray
        np.testing.assert_array_equal(value, pure[key])
    assert_near(optimizer.state, state, 0)


def test_a_subclass_of_the_users() -> None:
    class Clipped(Adam):
        """Adam that always clips."""

        def __init__(self, **named: Any) -> None:
            super().__init__(clipvalue=0.1, **named)

    w, v = np.array([1.0]), np.array([1.0])
    Clipped(learning_rate=0.5).apply_gradients([(np.array([7.0]), w)])
    Adam(0.5, clipvalue=0.1).apply_gradients([(np.array([7.0]), v)])
    assert w == v


def test_a_rule_of_the_users_own() -> None:
    """The sign of the gradient, times the rate and a factor."""
    rule = optim.RULES["lion"]._replace(
        options={"factor": (2.0, (0.0, np.inf, "()"))},
        slots=lambda p, o: {},
        update=lambda g, p, slots, f, o: (p - np.sign(g) * (f.rate * o.factor), slots),
    )
    optim.RULES["sign"] = rule
    try:

        class Sign(Optimizer, rule="sign", rate=0.25):
            """p ← p - factor · rate · sign g."""

        w = np.array([1.0, 1.0])
        Sign(weight_decay=None).apply_gradients([(np.array([7.0, -0.1]), w)])
        np.testing.assert_array_equal(w, [0.5, 1.5])
        assert Sign.from_config(Sign(factor=3.0).get_config()).get_config()["factor"] == 3.0
        with pytest.raises(ArgumentError, match="factor"):
            Sign(factor=-1.0)
    finally:
        del optim.RULES["sign"]


def test_a_copy_has_its_own_variables_and_state() -> None:
    one = Variable([1.0], "kernel")
    optimizer = Adam(0.5, weight_decay=0.1)
    optimizer.exclude_from_weight_decay([one])
    optimizer.apply_gradients([(np.ones(1), one)])
    twin, two = copy.deepcopy((optimizer, one))
    twin.apply_gradients([(np.ones(1), two)])
    assert (int(optimizer.iterations), int(twin.iterations)) == (1, 2)
    optimizer.apply_gradients([(np.ones(1), one)])
    assert one.value == two.value


def test_training_with_a_tape() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    w, b = backlight.array(0.0), backlight.array(0.0)
    optimizer = SGD(0.02, momentum=0.9)
    for _ in range(300):
        with backlight.GradientTape() as tape:
            loss = np.mean((w * x + b - 2 * x) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b], strict=True))
    assert float(w) == pytest.approx(2.0, abs=1e-3)
    assert float(b) == pytest.approx(0.0, abs=1e-3)


def test_what_a_step_gives_is_not_what_it_was_given() -> None:
    """A pure step changes nothing, and a variable never shares memory with the optimiser's averages."""
    optimizer = made("adam", use_ema=True, ema_overwrite_frequency=1)
    values = parameters()
    state = optimizer.init(values)
    before = copy.deepcopy((values, state))
    optimizer.stateless_apply(state, gradients(1)[0], values)
    assert_near((values, state), before, 0)
    w = backlight.array(np.ones(2))
    optimizer.apply_gradients([(np.ones(2), w)])
    optimizer.finalize_variable_values([w])
    assert not any(np.shares_memory(w.value, leaf) for leaf in flatten(optimizer.state)[0])


def test_the_end_of_training_lends_no_memory() -> None:
    variable = Variable(np.ones(2), "w")
    variable.assign = lambda value: setattr(variable, "value", value)  # one that keeps what it is given
    optimizer = SGD(0.5, use_ema=True)
    optimizer.apply_gradients([(np.ones(2), variable)])
    optimizer.finalize_variable_values([variable])
    assert not np.shares_memory(variable.value, optimizer.state["average"][0])


# -- The rate --------------------------------------------------------------------------------------------------------


def test_the_rate_is_a_variable_that_computes() -> None:
    optimizer = Adam(0.5)
    rate = optimizer.learning_rate
    assert isinstance(rate, backlight.variable.Variable)
    assert (float(rate), f"{rate:.2f}", rate.shape, rate.item(), rate.numpy().item()) == (0.5, "0.50", (), 0.5, 0.5)
    assert float(rate * 2 + 1) == 2.0
    assert rate == 0.5
    assert np.sqrt(rate) == np.sqrt(0.5)
    optimizer.learning_rate = rate * 0.5
    assert float(rate) == 0.25
    rate.assign(0.125)
    assert optimizer.get_config()["learning_rate"] == 0.125
    with pytest.raises(ShapeError, match="learning_rate"):
        rate.assign([1.0, 2.0])


def test_the_rate_that_is_set_is_used() -> None:
    w = np.array([0.0])
    optimizer = SGD(1.0)
    for rate in (0.5, 0.25, np.float32(2.0), 0):
        optimizer.learning_rate = rate
        optimizer.apply_gradients([(np.array([-1.0]), w)])
    assert w == 2.75
    optimizer = SGD(lambda: 3.0)
    optimizer.apply_gradients([(np.array([-1.0]), w)])
    assert w == 5.75


# -- Clipping, accumulation, averages, decay -------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.5}, {"weight_decay": 0.1}, {"global_clipnorm": 0.7}], ids=str)
@pytest.mark.parametrize("every", [2, 3])
def test_accumulated_steps_are_one_step_with_the_mean(name: str, options: dict[str, Any], every: int) -> None:
    steps = gradients(4 * every)
    means = [
        {key: sum(g[key] for g in steps[k : k + every]) / every for key in steps[0]} for k in range(0, 4 * every, every)
    ]
    expected, plain = after(made(name, **options), means)
    got, state = after(made(name, gradient_accumulation_steps=every, **options), steps)
    assert_near(got, expected, 1e-12)
    assert_near(state["slots"], plain["slots"], 1e-12)
    assert all(not np.any(total) for total in state["accumulator"])
    between, _ = after(made(name, gradient_accumulation_steps=every, **options), steps[: every - 1])
    assert_near(between, parameters(), 0)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    ("limit", "clip"),
    [
        ("clipnorm", optim.clip_by_norm),
        ("clipvalue", optim.clip_by_value),
        ("global_clipnorm", optim.clip_by_global_norm),
    ],
)
def test_clipped_steps_are_steps_of_clipped_gradients(name: str, limit: str, clip: Any) -> None:
    steps = gradients(3)
    got, _ = after(made(name, **{limit: 0.3}), steps)
    expected, _ = after(made(name), [dict(zip(g, clip(list(g.values()), 0.3), strict=True)) for g in steps])
    assert_near(got, expected, 1e-12)


def test_iterations_count_moves() -> None:
    optimizer = SGD(0.1, gradient_accumulation_steps=3)
    w = np.zeros(1)
    counts = [int(optimizer.apply_gradients([(np.ones(1), w)])) for _ in range(7)]
    assert counts == [0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_averages_of_weights(dtype: Any) -> None:
    """The first average is the first value; then a ← μ a + (1-μ) p."""
    steps = gradients(6, dtype)
    optimizer = made("sgd", use_ema=True, ema_momentum=0.75)
    values = {key: value.astype(dtype) for key, value in parameters().items()}
    state, path = optimizer.init(values), []
    for g in steps:
        values, state = optimizer.stateless_apply(state, g, values)
        path.append(values["kernel"].astype(np.float64))
    expected = 0.75**5 * path[0] + sum(0.25 * 0.75 ** (5 - t) * path[t] for t in range(1, 6))
    assert state["average"][0].dtype == dtype
    np.testing.assert_allclose(state["average"][0], expected, rtol=1e-13 if dtype == np.float64 else 1e-5)
    plain, _ = after(made("sgd"), steps)
    assert_near(values, plain, 0)


def test_averages_overwrite_weights_when_asked() -> None:
    w = np.array([10.0])
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    seen = []
    for _ in range(6):
        optimizer.apply_gradients([(np.ones(1), w)])
        seen.append(w.item())
    assert seen == [9.0, 8.5, 7.5, 7.25, 6.25, 6.0]


def test_averages_at_the_end() -> None:
    w, v = np.array([10.0]), np.array([0.0])
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply_gradients([(np.ones(1), w), (np.zeros(1), v)])
    assert w == 8
    optimizer.finalize_variable_values([w, v])
    assert w == 8.5
    SGD(1.0).finalize_variable_values([w])
    assert w == 8.5


@pytest.mark.parametrize("name", RULES)
def test_weight_decay_comes_before_the_rule_and_times_the_rate(name: str) -> None:
    steps = gradients(1)
    decayed, _ = after(made(name, weight_decay=0.5, **({"adam_weight_decay": 0.5} if name == "muon" else {})), steps)
    plain = made(name, weight_decay=None, **({"adam_weight_decay": None} if name == "muon" else {}))
    shrunk = {key: value * (1 - 0.05 * 0.5) for key, value in parameters().items()}
    expected, _ = plain.stateless_apply(plain.init(shrunk), steps[0], shrunk)
    assert_near(decayed, expected)


def test_exclusion_from_weight_decay() -> None:
    zero = np.zeros(1)
    one, two, three = Variable([1.0], "dense/kernel"), Variable([1.0], "dense/bias"), np.ones(1)
    optimizer = SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([three], ["bias", "norm"])
    optimizer.apply_gradients([(zero, one), (zero, two), (zero, three)])
    assert (one.value.item(), two.value.item(), three.item()) == (0.5, 1.0, 1.0)
    with pytest.raises(ArgumentError, match="built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
    optimizer = SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    tree = {"kernel": np.ones(1), "bias": np.ones(1)}
    moved, _ = optimizer.stateless_apply(optimizer.init(tree), {"bias": zero, "kernel": zero}, tree)
    assert (moved["kernel"].item(), moved["bias"].item()) == (0.5, 1.0)


def test_the_loss_scale_is_taken_out_again() -> None:
    optimizer = SGD(1.0, loss_scale_factor=4.0)
    w = np.zeros(1)
    optimizer.apply_gradients([(optimizer.scale_loss(np.array([2.0])), w)])
    assert w == -2.0
    assert SGD().scale_loss(3.0) == 3.0


def test_constraints_come_last() -> None:
    variable = Variable([1.0, -1.0], "w", constraint=lambda w: np.maximum(w, 0))
    SGD(0.5).apply_gradients([(np.array([1.0, 1.0]), variable)])
    np.testing.assert_array_equal(variable.value, [0.5, 0.0])


def test_muon_is_for_matrices_that_are_no_embeddings() -> None:
    shapes = {"dense/kernel": (3, 4), "dense/bias": (4,), "conv/kernel": (2, 2, 3, 3), "Embedding/table": (5, 2)}
    variables = [Variable(np.ones(shape), name) for name, shape in {**shapes, "head/kernel": (4, 2)}.items()]
    optimizer = Muon(0.1, exclude_layers=["head"])
    optimizer.build(variables)
    rules = ["muon" if "velocity" not in slots else "adam" for slots in optimizer.state["slots"]]
    assert rules == ["muon", "adam", "adam", "adam", "adam"]
    everything = Muon(0.1, exclude_embeddings=False)
    everything.build(variables)
    assert ["velocity" in slots for slots in everything.state["slots"]] == [False, True, True, False, False]


def test_muon_goes_by_adam_for_the_rest() -> None:
    muon, adam = (
        Muon(0.1, adam_beta_1=0.7, adam_beta_2=0.8, adam_weight_decay=0.3, adam_lr_ratio=0.5, epsilon=1e-3),
        Adam(0.05, beta_1=0.7, beta_2=0.8, weight_decay=0.6, epsilon=1e-3),
    )
    ours, theirs = (after(optimizer, gradients(5))[0]["bias"] for optimizer in (muon, adam))
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)


# -- State -----------------------------------------------------------------------------------------------------------

EVERYTHING = {"use_ema": True, "gradient_accumulation_steps": 2, "global_clipnorm": 0.5, "weight_decay": 0.1}


@pytest.mark.parametrize("name", RULES)
def test_a_state_is_a_tree_of_what_the_variables_hold(name: str) -> None:
    optimizer = made(name, **EVERYTHING)
    variables = [Variable(value, key) for key, value in parameters().items()]
    twins = [Variable(np.ones(2), "kernel"), Variable(np.ones(2), "kernel")]  # names need not be different
    same = made(name)
    same.build(twins)
    assert len(same.variables) == len(flatten(same.state)[0])
    optimizer.build(variables)
    leaves = flatten(optimizer.state)[0]
    assert all(type(leaf) is np.ndarray for leaf in leaves)
    listed = optimizer.variables
    for g in gradients(3):
        optimizer.apply([g[variable.name] for variable in variables])
    assert all(now is then for now, then in zip(optimizer.variables, listed, strict=True))
    assert len(listed) == len(leaves) == len({variable.name for variable in listed})
    assert listed[0].name == f"{optimizer.name}/iteration"
    held = {leaf.tobytes() for leaf in flatten(optimizer.state)[0]}
    assert held == {variable.numpy().tobytes() for variable in listed}


@pytest.mark.parametrize("name", RULES)
def test_training_goes_on_from_a_state(name: str) -> None:
    """Six steps are three, a state carried over, and three more: bit for bit."""
    steps = gradients(6)
    whole, _ = after(made(name, **EVERYTHING), steps)
    variables = {key: value.copy() for key, value in parameters().items()}
    first, second = made(name, **EVERYTHING), made(name, **EVERYTHING)
    for g in steps[:3]:
        first.apply_gradients([(g[key], variables[key]) for key in variables])
    second.build(variables.values())
    second.state = copy.deepcopy(first.state)
    for g in steps[3:]:
        second.apply_gradients([(g[key], variables[key]) for key in variables])
    for key in variables:
        np.testing.assert_array_equal(variables[key], whole[key])


def test_a_schedule_has_no_rate_in_the_state() -> None:
    assert "learning_rate" not in SGD(CosineDecay(0.1, 5)).init({"w": np.ones(2)})
    assert SGD(0.1).init({"w": np.ones(2)})["learning_rate"] == 0.1


def test_variables_without_a_gradient_stay() -> None:
    optimizer = made("adam", weight_decay=0.1)
    one, two = Variable([1.0], "one"), Variable([1.0], "two")
    with pytest.warns(UserWarning, match="two"):
        optimizer.apply_gradients([(np.ones(1), one), (None, two)])
    assert two.value == 1.0
    assert one.value != 1.0
    assert not np.any(optimizer.state["slots"][1]["momentum"])
    optimizer.apply_gradients([(np.ones(1), two)])  # a part of the variables, without a word
    assert two.value != 1.0
    moved, _ = SGD(1.0).stateless_apply(SGD(1.0).init([one.value, two.value]), [np.ones(1), None], [np.zeros(1)] * 2)
    assert [p.item() for p in moved] == [-1.0, 0.0]


# -- Compiled --------------------------------------------------------------------------------------------------------


def loss(p: Any, x: Any) -> Any:
    return np.mean((np.tanh(x @ p["kernel"]) @ p["bias"] + p["scale"] - 1) ** 2)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {**EVERYTHING, "ema_overwrite_frequency": 3},
        {
            "learning_rate": PiecewiseConstantDecay([3, 6], [0.05, 0.02, 0.01]),
            "clipvalue": 0.1,
            "loss_scale_factor": 2.0,
        },
    ],
    ids=["plain", "everything", "schedule"],
)
def test_a_compiled_epoch_equals_plain_steps(name: str, options: dict[str, Any]) -> None:
    optimizer = OPTIMIZERS[name](**{"learning_rate": 0.05, **options})
    rng = np.random.default_rng(3)
    x, rows = rng.normal(size=(8, 3)), np.stack([rng.permutation(8)[:4] for _ in range(10)])

    def step(state: Any, row: Any, x: Any) -> Any:
        values, own = state
        value, g = backlight.value_and_grad(loss)(values, x[row])
        return optimizer.stateless_apply(own, g, values), value

    plain, native = ((parameters(), optimizer.init(parameters())) for _ in range(2))
    for row in rows:
        plain, _ = step(plain, row, x)
    Epoch(step)(native, rows, x)
    assert_near(native, plain, 1e-9)
    assert native[1]["iterations"] == 10


def test_a_rate_that_changes_between_epochs_needs_no_new_plan() -> None:
    optimizer, w = SGD(1.0), np.zeros(1)
    optimizer.build([w])
    traced = 0

    def step(state: Any, row: Any) -> Any:
        nonlocal traced
        traced += 1
        (p,), own = state
        return optimizer.stateless_apply(own, [row], [p]), None

    epoch, own = Epoch(step), optimizer.state
    epoch(([w], own), -np.ones((2, 1)))
    first = traced
    own["learning_rate"][...] = 10.0
    epoch(([w], own), -np.ones((2, 1)))
    assert w == 22
    assert traced == first
    optimizer.state = own
    assert int(optimizer.iterations) == 4
    assert float(optimizer.learning_rate) == 10.0


@pytest.mark.parametrize("name", RULES)
def test_a_compiled_step_applies_gradients(name: str) -> None:
    """The step that a user writes, with variables, is the same compiled: its variables are followed."""
    steps = gradients(3)

    def trained(compiled: bool) -> Any:
        optimizer = made(name, **EVERYTHING)
        variables = [backlight.variable.Variable(value, name=key) for key, value in parameters().items()]

        def step(*g: Any) -> Any:
            return optimizer.apply_gradients(zip(g, variables, strict=True))

        call = backlight.compile(step, strict=True) if compiled else step
        counts = [int(call(*g.values())) for g in steps]
        assert counts == [0, 1, 1]
        return [variable.numpy() for variable in variables], optimizer.state

    assert_near(trained(True), trained(False), 1e-12)


@pytest.mark.parametrize("name", RULES)
def test_float32_stays_float32_with_everything_on(name: str) -> None:
    values, state = after(made(name, **EVERYTHING, ema_overwrite_frequency=2), gradients(4, np.float32))
    assert {value.dtype for value in values.values()} == {np.dtype(np.float32)}
    arrays = flatten([state["slots"], state["average"], state["accumulator"]])[0]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


# -- Bad input -------------------------------------------------------------------------------------------------------


def built() -> Optimizer:
    optimizer = Adam()
    optimizer.build([np.ones(2)])
    return optimizer


def read_only() -> np.ndarray:
    array = np.ones(2)
    array.flags.writeable = False
    return array


W = np.ones(2)
BAD: list[tuple[str, Callable[[], Any], type[BacklightError], str]] = [
    ("a negative rate", lambda: SGD(-0.1), ArgumentError, "-0.1"),
    ("a rate of nan", lambda: Adam(float("nan")), ArgumentError, "nan"),
    ("a rate that is no number", lambda: Adam("fast"), ArgumentError, "'fast'"),
    ("a rate that is a truth value", lambda: Adam(True), ArgumentError, "True"),
    ("a negative rate later", lambda: setattr(SGD(), "learning_rate", -1.0), ArgumentError, "-1.0"),
    ("an unknown name", lambda: optim.get("adamm"), ArgumentError, "'adamm'"),
    ("nothing", lambda: optim.get(None), ArgumentError, "None"),
    ("an unknown class", lambda: optim.get({"class_name": "os.system", "config": {}}), ArgumentError, "os.system"),
    ("a broken configuration", lambda: optim.get({"class_name": "SGD", "config": 3}), ArgumentError, "SGD"),
    ("an unknown argument", lambda: Adam(lr=0.1), ArgumentError, "lr"),
    ("too many arguments", lambda: SGD(*range(1, 30)), CallError, "learning_rate"),
    ("two limits", lambda: Adam(clipnorm=1.0, clipvalue=1.0), ArgumentError, "clipnorm, clipvalue"),
    ("a negative limit", lambda: Adam(clipnorm=-1.0), ArgumentError, "clipnorm"),
    ("a negative decay", lambda: AdamW(weight_decay=-0.1), ArgumentError, "weight_decay"),
    ("a share of 1", lambda: Adam(beta_2=1.0), ArgumentError, "beta_2"),
    ("momentum of 2", lambda: RMSprop(momentum=2.0), ArgumentError, "momentum"),
    ("one step is no accumulation", lambda: SGD(gradient_accumulation_steps=1), ArgumentError, "accumulation"),
    ("half steps", lambda: SGD(gradient_accumulation_steps=2.5), ArgumentError, "2.5"),
    ("an average beyond 1", lambda: SGD(use_ema=True, ema_momentum=1.5), ArgumentError, "ema_momentum"),
    ("overwriting every 0 steps", lambda: SGD(ema_overwrite_frequency=0), ArgumentError, "ema_overwrite"),
    ("another shape", lambda: SGD().apply_gradients([(np.ones(3), W)]), ShapeError, "(3,)"),
    ("a column for a row", lambda: SGD().apply_gradients([(np.ones((2, 1)), W)]), ShapeError, "(2, 1)"),
    ("no gradient", lambda: SGD().apply_gradients([(None, W)]), ArgumentError, "SGD"),
    ("no pairs", lambda: SGD().apply_gradients([]), ArgumentError, "SGD"),
    ("a stranger", lambda: built().apply_gradients([(np.ones(2), np.ones(2))]), ArgumentError, "1"),
    ("twice", lambda: SGD().apply_gradients([(W, W), (W, W)]), ArgumentError, "g1 + g2"),
    ("other variables", lambda: built().build([np.ones(2)]), ArgumentError, "Adam"),
    ("before it is built", lambda: SGD().apply([np.ones(2)]), ArgumentError, "build"),
    ("a gradient too many", lambda: built().apply([np.ones(2), np.ones(2)]), ArgumentError, "2"),
    ("integers", lambda: SGD().build([np.arange(3)]), DTypeError, "int64"),
    ("complex numbers", lambda: SGD().init({"w": np.ones(2, complex)}), DTypeError, "parameters['w']"),
    ("a list", lambda: SGD().build([[1.0, 2.0]]), ArgumentError, "list"),
    ("a read-only array", lambda: SGD().build([read_only()]), ArgumentError, "read-only"),
    ("a state of another", lambda: setattr(built(), "state", Adam().init([np.ones(3)])), ArgumentError, "(3,)"),
    ("a state of another kind", lambda: setattr(built(), "state", SGD().init([np.ones(2)])), ArgumentError, "Adam"),
    (
        "a state of fractions",
        lambda: setattr(SGD(), "state", {"iterations": 0.5, "learning_rate": 0.1}),
        ArgumentError,
        "float64",
    ),
    ("no pattern", lambda: SGD().exclude_from_weight_decay(var_names=["("]), ArgumentError, "var_names"),
    ("the base", lambda: Optimizer(), ArgumentError, "Optimizer"),
    ("a state of nothing", lambda: SGD().stateless_apply({}, [W], [W]), ArgumentError, "slots"),
    (
        "gradients of another tree",
        lambda: SGD().stateless_apply(SGD().init({"w": W}), {"v": W}, {"w": W}),
        ArgumentError,
        "gradients",
    ),
    (
        "inside a traced function",
        lambda: backlight.grad(lambda w: SGD().apply_gradients([(w, W)]))(np.ones(2)),
        ArgumentError,
        "backlight.compile",
    ),
]


@pytest.mark.parametrize(("call", "kind", "part"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_bad_input_is_named(
    call: Callable[[], Any], kind: type[BacklightError], part: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = W.copy()
    text = said(call, kind, language, monkeypatch)
    assert part in text
    assert ("应为" in text or "改写为" in text) if language == "zh" else ("Expected" in text or "Write instead" in text)
    np.testing.assert_array_equal(W, before)


def test_everything_is_said_in_both_languages() -> None:
    from backlight.optim.texts import TEXTS

    for key, (english, chinese) in TEXTS.items():
        fields = [{field for _, field, *_ in Formatter().parse(text) if field} for text in (english, chinese)]
        assert fields[0] == fields[1], key
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), key
