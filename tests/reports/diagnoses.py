"""Hand-made diagnoses: one illness with two symptoms, a note, and rules that could not decide."""

from __future__ import annotations

import math

from trainhealth.diagnosis import Report, Run
from trainhealth.findings import (
    Change,
    Confidence,
    Diagnosis,
    Evidence,
    Finding,
    NotChecked,
    Recommendation,
    Severity,
)
from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.series import RunView
from trainhealth.testing import make_run

RATE_TOO_HIGH = Finding(
    code="OP01",
    name="learning-rate-too-high",
    severity=Severity.CRITICAL,
    confidence=Confidence.LIKELY,
    message=(
        "train_loss rose from 2.31 to 18000 within 40 steps; the updates at the learning rate of 0.5 were up to 310 "
        "times as large as is usual."
    ),
    first_step=4,
    evidence=(
        Evidence("update_ratio", "features.0.weight", 4, 16, 0.31, "about 0.001"),
        Evidence("update_ratio", "features.3.weight", 4, 16, 0.284, "about 0.001"),
        Evidence("update_ratio", "classifier.weight", 4, 8, 0.0912, "about 0.001"),
        Evidence("train_loss", None, 12, 40, 18000.0, "below 6.93 (3 x 2.31)"),
    ),
    recommendations=(
        Recommendation(
            action="Lower learning_rate from 0.5 to 0.005.",
            because="updates should be about a thousandth of the weights, and are about 300 times that",
            verify="update_ratio near 0.003 at the first sampled steps, and a train_loss that falls below 2.31",
            risk="a rate that is too low looks like a plateau: then raise it by 3 at a time",
            recipe="lower-learning-rate",
            change=Change("learning_rate", 0.5, 0.005),
        ),
        Recommendation(
            action="Let the rate grow from 0 to its value over the first 20 steps.",
            because="the largest update is among the first 16 steps",
            verify="no spike of train_loss in the first 100 steps",
            recipe="warm-up",
        ),
    ),
    place="features.0.weight",
)
NONFINITE = Finding(
    code="LS01",
    name="nonfinite-loss",
    severity=Severity.CRITICAL,
    confidence=Confidence.CERTAIN,
    message="train_loss is NaN from step 41 on. The first parameter with NaN is features.0.weight.",
    first_step=41,
    evidence=(Evidence("train_loss", None, 41, 399, math.nan, "a number"),),
    recommendations=(Recommendation("Find the first NaN.", "it hides the rest", "no NaN"),),
    caused_by=("OP01@features.0.weight",),
)
DEAD = Finding(
    code="AC01",
    name="dead-relu-units",
    severity=Severity.WARNING,
    confidence=Confidence.CERTAIN,
    message="61 of 64 units of features.3/relu and 20 of 32 units of features.0/relu gave zero for 6,400 examples.",
    first_step=31,
    evidence=(Evidence("dead_fraction", "features.3/relu", 31, 31, 0.95, "below 0.1"),),
    place="features.3/relu",
    caused_by=("OP01@features.0.weight",),
)
INITIAL = Finding(
    code="LS07",
    name="implausible-initial-loss",
    severity=Severity.NOTE,
    confidence=Confidence.HINT,
    message="train_loss is 4.1 at step 0, where a model that knows nothing of 10 classes has 2.303.",
    first_step=0,
    evidence=(Evidence("train_loss", None, 0, 0, 4.1, "2.303 (log 10)"),),
)
NOT_CHECKED = (
    NotChecked("the log has no validation_loss: pass it to watch.epoch(validation_loss=…)", "GE01", "overfitting"),
    NotChecked("the log has no validation_loss: pass it to watch.epoch(validation_loss=…)", "GE02", "underfitting"),
    NotChecked("no sampled step has saturated_fraction", "AC02", "saturated-activations"),
)


def _view() -> RunView:
    info = RunInfo(model="SmallCnn", optimizers=[OptimizerInfo(name="", type="SGD")])
    return make_run([2.3] * 400, epochs=[{}] * 10, info=info)


def report(*findings: Finding, path: str = "runs/baseline", not_checked: tuple[NotChecked, ...] = ()) -> Report:
    """Return the report of a small run with these findings, in reading order."""
    return Report(Run(path, _view()), Diagnosis(findings, not_checked))
