"""RU06: fires where weights that are set back lose what was learnt, and not where they are set for good reasons."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import Confidence, Severity
from trainhealth.records import EventRecord
from trainhealth.rules.run.weights_made_anew import WeightsMadeAnew
from trainhealth.testing import check_rule, make_run

EPOCH = 40
NOISE = np.random.default_rng(0).normal(0, 0.03, 100 * EPOCH)


def falling(steps: int, floor: float = 0.3) -> list[float]:
    return [floor + (2.3 - floor) * 0.9**step for step in range(steps)]


def judge(losses, at, how="drawn", epochs=None, new_optimizers=()):
    """Judge a run of these losses whose weights were set at the steps `at`; an evaluation after each `EPOCH` steps."""
    count = len(losses) // EPOCH if epochs is None else epochs
    run = make_run([loss + noise for loss, noise in zip(losses, NOISE, strict=False)], epochs=[{}] * count)
    events = [("weights-set", {"how": how}, step) for step in at]
    events += [("optimizer-added", {"type": "SGD"}, step) for step in new_optimizers]
    records = tuple(EventRecord(step=step, time=0.0, event=name, data=data) for name, data, step in events)
    return check_rule(WeightsMadeAnew, dataclasses.replace(run, events=records))


SAWTOOTH = falling(EPOCH) * 8
EACH_EPOCH = range(EPOCH, 8 * EPOCH, EPOCH)


@pytest.mark.parametrize(("how", "words"), [("drawn", "drawn anew 7 times"), ("loaded", "loaded 7 times")])
def test_an_epoch_that_begins_with_other_weights(how, words):
    """Each epoch learns, and the next one begins from nothing."""
    (found,) = judge(SAWTOOTH, EACH_EPOCH, how)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert words in found.message
    assert found.first_step == EPOCH


def test_weights_that_are_drawn_before_each_step():
    """Nothing is ever learnt."""
    (found,) = judge([2.3] * 80, range(1, 80))
    assert "before each step" in found.message


def test_waits_for_three_times():
    """Two stages may begin anew."""
    assert judge(SAWTOOTH, EACH_EPOCH[:3])
    assert judge(SAWTOOTH, EACH_EPOCH[:2]) == ()


def test_three_quarters_of_the_gain_must_be_lost():
    """Who keeps more than a quarter is getting on."""
    for kept, fires in ((0.15, True), (0.4, False)):
        start = 2.3 - kept * 2.0
        losses = falling(EPOCH) + [0.3 + (start - 0.3) * 0.9**step for step in range(EPOCH)] * 7
        assert bool(judge(losses, EACH_EPOCH)) is fires


# --- when it is wrong ---


def test_weights_that_are_swapped_for_an_evaluation_and_back():
    """They are loaded in every epoch, and the loss goes on where it was."""
    assert judge(falling(8 * EPOCH), EACH_EPOCH, "loaded") == ()


def test_nothing_was_set():
    """A loss that begins anew in every epoch has another reason: tasks in turn, sorted data."""
    assert judge(SAWTOOTH, []) == ()


def test_folds_of_several_epochs():
    """Each begins anew on purpose."""
    assert judge(SAWTOOTH, EACH_EPOCH, epochs=24) == ()


def test_folds_with_an_optimizer_each():
    """Who makes a new optimizer as well wants a new training."""
    assert judge(SAWTOOTH, EACH_EPOCH, new_optimizers=EACH_EPOCH) == ()


def test_meta_learning():
    """Weights are set back after each task, without an evaluation."""
    assert judge(SAWTOOTH, EACH_EPOCH, "loaded", epochs=0) == ()


def test_one_layer_that_is_drawn_in_each_step_while_the_others_learn():
    """A random projection may be meant."""
    assert judge(falling(80), range(1, 80)) == ()


def test_a_state_that_is_loaded_in_each_step():
    """A fast and a slow copy of the weights (Lookahead) may be kept so."""
    assert judge([2.3] * 80, range(1, 80), "loaded") == ()
