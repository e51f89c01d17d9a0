"""What it means that nothing was found is decided in one place, for the report and for the dashboard."""

from __future__ import annotations

import pytest

from trainhealth.findings import NotChecked
from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.reports.silence import Silence, silence_of
from trainhealth.testing import make_run

TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}


def lacking(*names: str) -> list[NotChecked]:
    return [NotChecked("no signal", f"XX{number:02}", name) for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "end", "expected"),
    [
        ((), 2.3, Silence.HEALTHY),
        (("flat-loss",), 2.0, Silence.EARLY),
        (("flat-loss",), 1.0, Silence.HEALTHY),  # below half of log 10 it has learnt, however short the run was
        ([f"rule-{number}" for number in range(5)], 1.0, Silence.HEALTHY),
        ([f"rule-{number}" for number in range(6)], 1.0, Silence.FEW),
        ([f"rule-{number}" for number in range(10)], 1.0, Silence.UNCHECKED),
    ],
)
def test_health_rests_on_half_of_the_rules_and_on_whether_anything_is_learnt(
    names: list[str], end: float, expected: Silence
) -> None:
    """Of ten rules."""
    run = make_run([2.3, *[end] * 20], facts=TEN)
    assert silence_of(run, lacking(*names), 10) is expected


def test_a_loss_that_measures_no_progress_is_said_to_be_that() -> None:
    """Of two adversaries the run may be as long as it likes."""
    run = make_run([2.3] * 500, info=RunInfo(optimizers=[OptimizerInfo(name=n, type="Adam") for n in ("netG", "netD")]))
    assert silence_of(run, lacking("flat-loss"), 10) is Silence.MOVING


def test_without_a_loss_nobody_can_tell() -> None:
    """A log of accuracies alone."""
    run = make_run((), epochs=[{"validation_accuracy": 0.9}] * 5)
    assert silence_of(run, lacking("flat-loss"), 10) is Silence.EARLY
