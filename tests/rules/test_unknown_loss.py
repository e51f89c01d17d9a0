"""Why the loss function of a run is not known, in words that fit the run."""

from __future__ import annotations

from trainhealth.rules.chance import unknown_loss
from trainhealth.testing import make_run


def test_a_number_has_no_graph():
    """The script can pass the tensor that it has computed."""
    assert "pass the loss to watch.step as the tensor" in unknown_loss(make_run([1.0], facts={"loss_form": "number"}))


def test_a_loss_written_by_hand_is_named_by_what_it_is_made_of():
    """Its tensor was passed: advice to pass it would be no advice."""
    facts = {"loss_form": "tensor", "loss_graph": ["NegBackward0", "MeanBackward0", "LogBackward0"]}
    because = unknown_loss(make_run([1.0], facts=facts))
    assert "made of Neg, Mean, Log" in because
    assert "watch.step" not in because
