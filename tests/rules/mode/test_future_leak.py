"""MO10: fires where answers stand in the input, or a language model is too good on both splits; on nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from trainhealth.findings import Confidence, NotChecked
from trainhealth.records import LayerEntry
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


MEMORY = {"layer": "memory", "type": "GRU", "batch_first": True, "shape": [8, 6, 4], "input": [8, 6]}
LINE = (
    LayerEntry(name="embed", type="Embedding"),
    LayerEntry(name="memory", type="GRU", fed_by="embed"),
    LayerEntry(name="head", type="Linear", fed_by="memory"),
)


def visible(answers, *told, sequences=None, layers=LINE, axis=1, **facts):
    """Judge a run whose first batch shows the answers."""
    known = FACTS | {"answers": answers, "answers_axis": axis, "sequences": sequences or list(told)} | facts
    found = check_rule(FutureLeak, replace(make_run([4.4, 4.0, 3.0], facts=known), layers=layers))
    return () if isinstance(found, NotChecked) else found


@pytest.mark.parametrize(
    ("layer", "advice"),
    [
        (MEMORY | {"sees_ahead": True}, "bidirectional=False"),
        (MEMORY | {"sees_ahead": True, "type": "MultiheadAttention"}, "causal mask"),
    ],
)
def test_certain_where_all_layers_see_the_next_place(layer, advice):
    """From the first step on, whatever the loss is, and without a validation loss."""
    (found,) = visible("next", layer, task="regression", loss_function="mse")
    assert found.confidence is Confidence.CERTAIN
    assert "inputs[:, 1:] equals targets[:, :-1]" in found.message
    assert advice in found.recommendations[0].action
    (found,) = visible("next", layer | {"batch_first": False}, axis=0)
    assert "inputs[1:] equals targets[:-1]" in found.message


@pytest.mark.parametrize(
    ("sequences", "axis"),
    [
        ([MEMORY | {"sees_ahead": False}], 1),  # as it should be
        ([MEMORY | {"sees_ahead": True}, MEMORY | {"sees_ahead": False}], 1),  # the decoder of an autoencoder
        ([MEMORY | {"sees_ahead": True}], 0),  # sees ahead along another axis
        ([], 1),
    ],
)
def test_silent_where_a_layer_hides_the_next_place(sequences, axis):
    """Next-step targets are right for models that go in one direction."""
    assert visible("next", *sequences, axis=axis) == ()


def test_certain_where_each_place_is_its_own_answer():
    """The line of layers from token to score is named."""
    (found,) = visible("same", MEMORY | {"sees_ahead": False})
    assert found.confidence is Confidence.CERTAIN
    assert "embed -> memory -> head" in found.message


@pytest.mark.parametrize(
    "arguments",
    [
        {"layers": (*LINE[:2], LayerEntry(name="head", type="Linear"))},  # something stands between
        {"layers": LINE[1:]},
        {"layers": ()},
        {"classes": 10},
        {"sequences": [MEMORY | {"sees_ahead": True}]},
        {"sequences": [MEMORY | {"sees_ahead": False}, MEMORY | {"layer": "encoder", "sees_ahead": False}]},
        {"sequences": []},
    ],
)
def test_silent_where_answers_may_come_another_way(arguments):
    """Autoencoders, denoisers and toys have their inputs as targets."""
    assert visible("same", **{"sequences": [MEMORY | {"sees_ahead": False}], **arguments}) == ()


def test_a_column_that_is_the_target_is_likely():
    """Whatever the task, and with the examples that it was seen in."""
    known = {"task": "regression", "loss_function": "mse", "answers_column": 6, "input_shape": [40, 7]}
    (found,) = check_rule(FutureLeak, make_run([4.4, 4.0, 3.0], facts=known))
    assert found.confidence is Confidence.LIKELY
    assert "Column 6 of the input" in found.message
    assert "over the 40 examples of the first batch" in found.message
