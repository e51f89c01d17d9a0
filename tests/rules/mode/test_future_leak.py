"""MO10: fires on a language model whose losses are too good on both splits, and on nothing else."""

from __future__ import annotations

import math

import pytest

from trainhealth.findings import NotChecked
from trainhealth.rules.mode.future_leak import FutureLeak
from trainhealth.testing import check_rule, make_run

FACTS = {"task": "language", "classes": 80, "loss_function": "cross_entropy", "loss_reduction": "mean"}
LIMIT = 0.04 * math.log(80)


def judge(train=0.01, held=0.01, start=4.4, *, facts=FACTS, count=100, evaluations=5):
    """Judge a loss that falls from `start` to `train`, and its validation loss."""
    losses = [start, *([train] * (count - 1))]
    epochs = [{"validation_loss": held}] * evaluations
    return check_rule(FutureLeak, make_run(losses, epochs=epochs, facts=facts))


def test_fires_where_both_losses_are_too_good():
    """With the losses and the number of tokens in the message."""
    (found,) = judge()
    assert "0.01 and validation_loss at 0.01 nats a token, and there are 80 tokens" in found.message


@pytest.mark.parametrize(("train", "held", "fires"), [(0.99, 0.99, True), (1.01, 0.99, False), (0.99, 1.01, False)])
def test_the_limit_is_a_share_of_the_entropy_of_guessing(train, held, fires):
    """Just below it on both splits."""
    assert bool(judge(train * LIMIT, held * LIMIT)) is fires


def test_memorised_text_is_silent():
    """Its validation loss is poor."""
    assert judge(held=3.0) == ()


def test_a_run_that_began_well_is_silent():
    """A pretrained model on easy text."""
    assert judge(start=0.5) == ()


@pytest.mark.parametrize("changed", [{"task": "classification"}, {"classes": 10}])
def test_only_languages_are_judged(changed):
    """A classifier may be as good as it likes; ten tokens make a toy."""
    assert judge(facts=FACTS | changed) == ()


@pytest.mark.parametrize(
    "arguments",
    [
        {"facts": {}},
        {"facts": FACTS | {"loss_reduction": "sum"}},
        {"facts": FACTS | {"loss_function": "mse"}},
        {"count": 10},
        {"evaluations": 2},
    ],
)
def test_not_checked_without_what_it_takes(arguments):
    """Unknown tasks and losses, and short runs."""
    assert isinstance(judge(**arguments), NotChecked)
