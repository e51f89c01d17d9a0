"""Runs of every shape for tests over all rules at once: what a log may hold, sane or not."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from trainhealth.records import EventRecord, LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.series import Columns, Epoch, RunView, Series
from trainhealth.signals import SIGNALS, Scope

SCALARS = [name for name, signal in SIGNALS.items() if signal.scope in (Scope.STEP, Scope.EVALUATION)]
LAYERS = (
    LayerEntry(name="features.0", type="Linear", units=4, unit_axis=1),
    LayerEntry(name="features.0/relu", type="relu", activation="relu", fed_by="features.0", units=4, unit_axis=1),
    LayerEntry(name="features.1/tanh", type="tanh", activation="tanh", fed_by="features.1"),
    LayerEntry(name="input/sigmoid", type="sigmoid", activation="sigmoid"),
)
PARAMETERS = (
    ParameterEntry(name="features.0.weight", shape=[4, 3], layer="features.0"),
    ParameterEntry(name="features.0.bias", shape=[4], layer="features.0"),
    ParameterEntry(name="frozen.weight", shape=[4, 4], layer="frozen", trainable=False, optimized=False),
)

_values = st.floats(width=64) | st.sampled_from([0.0, 1.0, 2.302585, float("nan"), float("inf"), 1e308, -1e308, 5e-324])
_steps = st.integers(0, 10**6) | st.integers(0, 5)


@st.composite
def series(draw: st.DrawFn, name: str) -> Series:
    """Draw a series of up to 300 values: constant, growing, noisy or arbitrary, on steps in any order, repeated too."""
    count = draw(st.sampled_from([0, 1, 2, 3, 5, 8, 40, 300]))
    seed, scale = draw(st.integers(0, 9)), draw(st.sampled_from([1e-300, 1e-6, 1.0, 1e300]))
    random = np.random.default_rng(seed)
    curve = {
        "constant": np.ones(count),
        "noise": random.normal(0, 1, count),
        "growth": np.exp(np.minimum(np.arange(count) / 3.0, 700)),
        "decay": np.exp(-np.arange(count) / 20.0),
        "accuracy": random.random(count),
    }[draw(st.sampled_from(["constant", "noise", "growth", "decay", "accuracy"]))]
    with np.errstate(over="ignore"):
        values = curve * scale
    for _ in range(draw(st.integers(0, 3))):
        if count:
            values[draw(st.integers(0, count - 1)) :][: draw(st.integers(1, 5))] = draw(_values)
    if draw(st.booleans()):
        steps = np.arange(count) * draw(st.integers(0, 9))
    else:
        steps = random.integers(0, 1000, count)
    return Series(name, steps.astype(np.int64), values)


@st.composite
def columns(draw: st.DrawFn, signal: str) -> Columns:
    """Draw a sampled signal: any numbers, places without values, no sample at all."""
    scope = SIGNALS[signal].scope
    places = {Scope.LAYER: LAYERS, Scope.PARAMETER: PARAMETERS}.get(scope, ())
    names = tuple(entry.name for entry in places) or ("batch",)
    count = draw(st.sampled_from([0, 1, 2, 12]))
    row = st.lists(_values, min_size=len(names), max_size=len(names))
    with np.errstate(over="ignore"):
        values = np.array(draw(st.lists(row, min_size=count, max_size=count)), np.float64).astype(np.float32)
    steps = np.array(sorted(draw(st.lists(_steps, min_size=count, max_size=count))), np.int64)
    return Columns(signal, steps, names, values.reshape(count, len(names)))


_LAYER = {"layer": "l", "type": "GRU", "batch_first": False, "shape": [32, 7, 3], "input": [32, 7, 3]}
_facts = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(["classification", "regression", "language", None]),
        "loss_function": st.sampled_from(
            [
                *("cross_entropy", "soft_cross_entropy", "nll", "binary_cross_entropy"),
                *("binary_cross_entropy_with_logits", "mse", "l1", "soft_margin", "", None),
            ]
        ),
        "loss_reduction": st.sampled_from(["mean", "sum", "none", None]),
        "loss_composed": st.booleans(),
        "loss_graph": st.sampled_from([[], ["MulBackward0"], None]),
        "classes": st.sampled_from([None, 0, 1, 2, 10, -3]),
        "dropout": st.sampled_from([None, 0, 0.3, 0.9]),
        "target_mean_square": _values,
        "target_std": _values,
        "target_mean": _values,
        "output_shape": st.sampled_from([[], [32], [32, 10], [0, 10], None]),
        "target_shape": st.sampled_from([[], [32], [32, 1], [32, 10], None]),
        "loss_input_graph": st.sampled_from([[], ["SoftmaxBackward0"], ["ViewBackward0", "ReluBackward0"], [7], None]),
        "output_graph": st.sampled_from([[], ["SigmoidBackward0"], "AddmmBackward0", None]),
        "loss_input_shape": st.sampled_from([[], [32, 10], [32, 1], ["?"], None]),
        "loss_expanded": st.sampled_from([True, False, None]),
        "softmax_axis": st.sampled_from([0, 1, None]),
        "target_integers": st.sampled_from([True, False, None]),
        "target_dtype": st.sampled_from(["int64", "float32", None]),
        "sequences": st.sampled_from([[], [7], [{"shape": None}], [_LAYER], [_LAYER | {"shape": [32, 7]}], None]),
        "answers": st.sampled_from(["same", "next", None]),
        "answers_axis": st.sampled_from([0, 1, None]),
        "input_shape": st.sampled_from([[], [32], [32, 7, 3], ["?"], None]),
    },
)


@st.composite
def run_views(draw: st.DrawFn) -> RunView:
    """Draw a view of a run, with any subset of signals, epochs, facts and hyperparameters."""
    scalars = {name: draw(series(name)) for name in draw(st.lists(st.sampled_from(SCALARS), unique=True))}
    sampled = [name for name, signal in SIGNALS.items() if signal.scope not in (Scope.STEP, Scope.EVALUATION)]
    matrices = {name: draw(columns(name)) for name in draw(st.lists(st.sampled_from(sampled), unique=True))}
    epochs = [Epoch(i, draw(_steps), {"validation_loss": draw(_values)}) for i in range(draw(st.integers(0, 4)))]
    groups: list[dict[str, Any]] = draw(st.sampled_from([[], [{"lr": 0.1, "weight_decay": 0.5}], [{"lr": None}]]))
    return RunView(
        path="run",
        info=RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=groups)]),
        scalars=scalars,
        columns_by_signal=matrices,
        layers=LAYERS,
        parameters=PARAMETERS,
        epochs=tuple(epochs),
        events=(EventRecord(step=0, time=0.0, event="fork", message="child"),),
        facts=draw(_facts),
        skipped_steps=np.array(draw(st.lists(st.integers(0, 300), max_size=3)), np.int64),
        dead_window={name: draw(series(name)) for name in draw(st.sampled_from([(), ("batches", "examples")]))},
        by_rank=draw(
            st.sampled_from([{}, {rank: RunView(scalars=scalars, columns_by_signal=matrices) for rank in (0, 1)}])
        ),
        resumed=tuple(draw(st.lists(st.integers(0, 300), max_size=2))),
        ended=draw(st.sampled_from([None, "closed", "exception"])),
        format=draw(st.sampled_from(["trainhealth", "keras_csv"])),
    )
