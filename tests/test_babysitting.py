"""Tr1's babysitting example comes out with the lecture's conclusions."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[1] / "docs"

sys.path.insert(0, str(DOCS))
import babysitting  # noqa: E402  # after the path to it

LOW, HIGH, GOOD = babysitting.SETTINGS


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.mark.slow
def test_low_rate_barely_moves_the_cost_while_the_accuracy_rises():
    """At 1e-6 the cost stays at log 10 to three digits, the accuracy climbs, and the rate is called too low."""
    epochs, report = babysitting.train(LOW)
    assert [one.cost for one in epochs] == pytest.approx([math.log(10)] * len(epochs), abs=5e-4)
    assert epochs[-1].accuracy > epochs[0].accuracy + 0.05
    assert LOW.rule in {finding.code for finding in report.findings}


@pytest.mark.slow
def test_high_rate_explodes_and_is_called_too_high():
    """At 3e-3 the cost ends in infinity or NaN, and the rate is called too high."""
    epochs, report = babysitting.train(HIGH)
    assert not math.isfinite(epochs[-1].cost)
    assert HIGH.rule in {finding.code for finding in report.findings}


@pytest.mark.slow
def test_good_rate_learns_and_is_not_blamed():
    """At 1e-4 nine of ten validation images are right, and no finding is about the rate or the loss."""
    epochs, report = babysitting.train(GOOD)
    assert epochs[-1].accuracy > 0.85
    assert not {finding.code[:2] for finding in report.findings} & {"OP", "LS"}


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "said"), [(LOW, "too low"), (HIGH, "too high"), (GOOD, None)])
def test_checkup_says_it_before_the_training(setting: babysitting.Setting, said: str | None):
    """The checkup learns 20 examples by heart, calls 1e-6 too low and 3e-3 too high, and suggests a rate between."""
    report = babysitting.look(setting)
    assert "overfit_rate" in report.advice
    assert LOW.rate < report.advice["learning_rate"] < HIGH.rate
    messages = [finding.message for finding in report.findings if finding.code == "CU15"]
    assert len(messages) == (said is not None)
    assert said is None or said in messages[0]


def test_document_shows_each_conclusion():
    """The page has a section for each training, with the rule that names the lecture's conclusion."""
    text = babysitting.DOCUMENT.read_text()
    for setting in babysitting.SETTINGS:
        section = text.partition(f"### Rate {setting.rate:g}")[2].partition("### ")[0]
        assert setting.lecture in section
        assert setting.rule is None or setting.rule in section
