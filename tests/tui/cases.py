"""Snapshots for tests of the dashboard: a healthy run, a sick one, and every state that a run can be in."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from trainhealth.findings import (
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    NotChecked,
    Recommendation,
    Reference,
    Severity,
)
from trainhealth.records import ErrorRecord, LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.series import RunView
from trainhealth.testing import make_run
from trainhealth.tui.snapshot import Condition, Snapshot, State

CAUSE = Finding(
    code="OP01",
    name="learning-rate-too-high",
    severity=Severity.CRITICAL,
    confidence=Confidence.LIKELY,
    message="The updates at the learning rate of 0.5 were 310 times as large as is usual.",
    first_step=40,
    evidence=(
        Evidence("update_ratio", "features.0.weight", 40, 48, 0.31, "about 0.001"),
        Evidence("train_loss", None, 60, 60, math.nan, "a number"),
    ),
    recommendations=(
        Recommendation(
            action="Lower the learning rate from 0.5 to 0.005.",
            because="an update should be about a thousandth of the weights",
            verify="train_loss falls from the first steps on.",
            risk="a rate that is too low looks like a plateau",
            recipe="lower-learning-rate",
        ),
        Recommendation(action="Warm the rate up.", because="it broke early", verify="no jump in the first 100 steps."),
    ),
    references=(Reference("Training Networks, Part 1", "the cost explodes", "https://example.org/tr1"),),
)
SYMPTOM = dataclasses.replace(
    CAUSE, code="LS01", name="nonfinite-loss", message="train_loss is NaN from step 60 on.", first_step=60,
    confidence=Confidence.CERTAIN, caused_by=("OP01@run",),
)  # fmt: skip
OTHER = dataclasses.replace(
    CAUSE, code="GE01", name="overfitting", severity=Severity.WARNING, message="validation_loss rises.", first_step=80,
    evidence=(Evidence("validation_loss", None, 80, 99, 0.9, "below 0.5"),), recommendations=(),
)  # fmt: skip
NOT_CHECKED = NotChecked("no sampled step has saturated_fraction", "AC02", "saturated-activations")
SICK = Diagnosis((CAUSE, SYMPTOM, OTHER), (NOT_CHECKED,))
HEALTHY = Diagnosis((), (NOT_CHECKED,))


def run(losses: list[float] | None = None, *, layers: int = 3, total_steps: int | None = 200, **more: Any) -> RunView:
    """Return a run of 100 steps with everything in it: epochs, a rate, gradients, layers on sampled steps."""
    values = list(2.3 * np.exp(-np.arange(100) / 40)) if losses is None else losses
    count = len(values)
    sampled = [step for step in (0, 1, 2, 4, 8, *range(16, 100, 8)) if step < count]
    samples: dict[int, dict[str, list[float | None]]] = {
        step: {
            "activation_std": [1.0 + layer for layer in range(layers)],
            "zero_fraction": [0.5] * layers,
            "update_ratio": [v for _ in range(layers) for v in (1e-3, 5e-3)],
            "parameter_gradient_norm": [v for layer in range(layers) for v in (10.0**-layer, 0.1)],
        }
        for step in sampled
    }
    settings: dict[str, Any] = {
        "learning_rate": 0.5,
        "batch_size": 64,
        "gradient_norm": [1.0] * count,
        "epochs": [{"validation_loss": 2.0, "validation_accuracy": 0.3}, {"validation_loss": 1.0}] if count else [],
        "layers": [LayerEntry(name=f"features.{layer}", type="Linear", units=4) for layer in range(layers)],
        "parameters": [
            entry
            for layer in range(layers)
            for entry in (
                ParameterEntry(name=f"features.{layer}.weight", shape=[4, 4]),
                ParameterEntry(name=f"features.{layer}.bias", shape=[4]),
            )
        ],
        "samples": samples,
        "info": RunInfo(
            name="baseline",
            model="SmallConvNet",
            parameters=93322,
            optimizers=[OptimizerInfo(name="", type="SGD")],
            total_steps=total_steps,
        ),
    }
    return make_run(values, **(settings | more))


def snapshot(
    view: RunView | None = None,
    diagnosis: Diagnosis = SICK,
    condition: Condition | State = State.LIVE,
    **more: Any,
) -> Snapshot:
    """Return a snapshot of a live, sick run, or of what is given."""
    chosen = condition if isinstance(condition, Condition) else Condition(condition)
    settings = {"diagnosed": True, "rules": 10} | more
    return Snapshot("runs/baseline", chosen, run() if view is None else view, diagnosis, **settings)


SICK_LOSSES = [2.3, 2.0, *[3.0 * 1.1**step for step in range(58)], *[math.nan] * 40]

STATES: dict[str, Snapshot] = {
    "nothing read yet": Snapshot("runs/baseline"),
    "no file yet": snapshot(
        RunView(), Diagnosis(), Condition(State.WAITING, "runs/baseline is not there yet"), diagnosed=False, rules=0
    ),
    "header only": snapshot(make_run([]), HEALTHY),
    "one step": snapshot(run([2.3]), HEALTHY),
    "healthy": snapshot(diagnosis=HEALTHY),
    "sick": snapshot(run(SICK_LOSSES)),
    "stalled": snapshot(condition=Condition(State.STALLED, "no new record for 75 s (usually every 0.1 s)")),
    "quiet": snapshot(
        dataclasses.replace(run(), format="keras-csv"),
        condition=Condition(State.QUIET, "no new record for 35 min; this log does not say when it ends"),
    ),
    "process gone": snapshot(condition=Condition(State.GONE, "process 4242 has ended and the log has not")),
    "ended": snapshot(dataclasses.replace(run(), ended="closed"), condition=State.ENDED),
    "failed": snapshot(
        dataclasses.replace(run(), error=ErrorRecord(step=99, time=1.0, type="RuntimeError", message="out of memory")),
        condition=Condition(State.FAILED, "RuntimeError: out of memory"),
    ),
    "truncated": snapshot(restarts=2),
    "unreadable": snapshot(
        RunView(), Diagnosis(), Condition(State.UNREADABLE, "x.jsonl: not a log of a known format", "Known: ours."),
        diagnosed=False, rules=0,
    ),
    "many layers": snapshot(run(layers=300)),
}  # fmt: skip
