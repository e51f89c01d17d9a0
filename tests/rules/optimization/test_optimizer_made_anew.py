"""OP16: fires where each step has a new optimizer that should remember something, and not for phases and folds."""

from __future__ import annotations

import dataclasses

import pytest

from trainhealth.findings import Confidence, Severity
from trainhealth.records import EventRecord, OptimizerInfo, RunInfo
from trainhealth.rules.optimization.optimizer_made_anew import OptimizerMadeAnew
from trainhealth.testing import check_rule, make_run


def judge(steps, kind="Adam", momentum=0.0):
    """Judge a run of 400 steps in which an optimizer of this class is made at each of `steps`."""
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=kind, groups=[{"lr": 0.1, "momentum": momentum}])])
    run = make_run([2.0] * 400, info=info)
    made = tuple(EventRecord(step=step, time=0.0, event="optimizer-added", data={"type": kind}) for step in steps)
    return check_rule(OptimizerMadeAnew, dataclasses.replace(run, events=made))


@pytest.mark.parametrize(("kind", "momentum"), [("Adam", 0.0), ("SGD", 0.9)])
def test_an_optimizer_a_step(kind, momentum):
    """Certain: the log tells of each of them."""
    (found,) = judge(range(1, 400), kind, momentum)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert f"a new {kind} 399 times" in found.message
    assert found.first_step == 1


def test_nine_of_ten_steps_count():
    """A step that kept its optimizer changes little; every other one does."""
    assert judge([step for step in range(1, 100) if step % 10])
    assert judge(range(1, 100, 2)) == ()


def test_waits_for_eight():
    """The first steps of phases that follow each other at once are no habit."""
    assert judge(range(1, 9))
    assert judge(range(1, 8)) == ()


def test_gradient_descent_has_nothing_to_remember():
    """Without momentum a new optimizer is as good as the old one."""
    assert judge(range(1, 400), "SGD") == ()


@pytest.mark.parametrize("steps", [range(40, 400, 40), range(5, 400, 5), (), (200,)])
def test_epochs_rounds_and_phases(steps):
    """A federated client, a fold, or a phase with other layers unfrozen begins with an optimizer of its own."""
    assert judge(steps) == ()
