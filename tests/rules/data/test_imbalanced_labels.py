"""DA04: fires where one class is very frequent and the model says nothing else."""

import dataclasses

import numpy as np
import pytest

from trainhealth.findings import NotChecked
from trainhealth.rules.data.imbalanced_labels import ImbalancedLabels
from trainhealth.testing import check_rule, make_run

SAMPLED = (0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 256)


def judge(said, majority=0.9, targets=0.9, steps=300, batch_size=64):
    """Judge a run in which the majority's share of predictions was `said` (a number, or one a sample)."""
    shares = [said] * len(SAMPLED) if isinstance(said, float) else said
    batch = {
        step: {
            "majority_share": majority,
            "minority_share": 1 - majority,
            "classes_seen": 2.0,
            "batch_majority_share": targets,
            "prediction_majority_share": share,
        }
        for step, share in zip(SAMPLED, shares, strict=True)
        if step < steps
    }
    return check_rule(ImbalancedLabels, make_run([0.3] * steps, batch_size=batch_size, batch=batch))


def test_fires_where_only_the_majority_is_said():
    """Nineteen rare examples after the first quarter, and none of them predicted."""
    (found,) = judge(1.0)
    assert found.first_step == 128
    assert found.message == (
        "The most frequent class holds 90 % of the targets, the rarest of 2 classes 10 %. Of 19 examples of rarer"
        " classes since step 128, the model predicted 0."
    )
    assert "9 times" in found.recommendations[0].action


def test_silent_where_the_model_tells_them_apart():
    """However rare the class is: one in twenty predicted is enough."""
    assert judge(0.9) == ()
    assert judge(0.994) == ()
    assert judge(0.996)


def test_silent_on_balanced_labels():
    """Below 70 %, the majority is no good answer; a single class is another illness."""
    assert judge(1.0, majority=0.69) == ()
    assert judge(1.0, majority=1.0) == ()


def test_the_beginning_does_not_count():
    """Every model says the majority at first."""
    assert judge([1.0] * 8 + [0.9] * 3) == ()


def test_not_checked_early_or_with_too_few_rare_examples():
    """Six rare examples are needed, and a hundred steps."""
    assert isinstance(judge(1.0, steps=100), NotChecked)
    assert isinstance(judge(1.0, targets=0.99, batch_size=32), NotChecked)


def lean(validation, train=0.95, majority=0.9):
    """Judge a run that tells the classes of its training data apart, by its accuracies."""
    batch = {
        step: {"majority_share": majority, "batch_majority_share": majority, "prediction_majority_share": majority}
        for step in SAMPLED
    }
    epochs = [{"validation_accuracy": validation, "train_accuracy": train}] * 6
    return check_rule(ImbalancedLabels, make_run([0.3] * 300, batch_size=64, batch=batch, epochs=epochs))


def test_fires_where_validation_is_worse_than_the_majority_would_be():
    """Even classes in validation: the model leans to the majority of training, and nine in ten become six."""
    (found,) = lean(0.6)
    assert "validation_accuracy is 0.6, where the majority alone gave 0.9" in found.message
    assert found.recommendations[0].recipe == "balance-classes"
    assert lean(0.81) == ()


def test_silent_where_training_pays_for_its_rare_classes_too():
    """Weights in the loss make a model name rare classes, at the cost of accuracy on both splits."""
    assert lean(0.6, train=0.65) == ()


def mix(accuracy, losses, train=0.01, majority=0.95):
    """Judge a run by its validation curves; naming shares of 0.95 and 0.05 has a loss of 0.2."""
    batch = {
        step: {"majority_share": majority, "batch_majority_share": majority, "prediction_majority_share": majority}
        for step in SAMPLED
    }
    facts = {"classes": 2, "loss_function": "cross_entropy", "loss_reduction": "mean", "target_shape": [64]}
    epochs = [{"validation_accuracy": accuracy, "validation_loss": loss} for loss in losses]
    run = make_run([train] * 300, batch_size=64, batch=batch, epochs=epochs, facts=facts)
    return bool(check_rule(ImbalancedLabels, run))


def test_fires_where_no_evaluation_came_near_the_shares_of_training():
    """Twice 0.2 is not reached, and 0.95 right neither: validation has other shares, whatever is learnt."""
    assert mix(0.9, [1.6, 0.6, 0.5, 0.45])
    assert not mix(0.9, [1.6, 0.6, 0.3, 0.3])  # a loss as the shares give it
    assert not mix(0.96, [1.6, 0.6, 0.5, 0.45])  # better than the majority alone
    assert not mix(0.9, [1.6, 0.6, 0.5, 0.45], train=0.3)  # training has not learnt more than the shares
    assert not mix(0.9, [float("nan")] * 4)


def test_fewer_rare_examples_are_enough_where_the_accuracy_is_that_of_the_majority():
    """Four rare examples are too few, unless three evaluations had the very share of the majority."""
    batch = {
        step: {
            "majority_share": 0.98,
            "minority_share": 0.02,
            "classes_seen": 2.0,
            "batch_majority_share": 0.979,
            "prediction_majority_share": 1.0,
        }
        for step in SAMPLED
    }
    for accuracies, fires in (
        ((0.9, 0.975, 0.975, 0.975), True),
        ((0.9, 0.97, 0.975, 0.98), False),
        ((0.9,) * 4, False),
    ):
        epochs = [{"validation_accuracy": accuracy} for accuracy in accuracies]
        found = check_rule(ImbalancedLabels, make_run([0.3] * 300, batch_size=64, batch=batch, epochs=epochs))
        assert (isinstance(found, tuple) and len(found) == 1) is fires


MASKS = {
    "loss_function": "binary_cross_entropy_with_logits",
    "loss_reduction": "mean",
    "loss_composed": False,
    "target_integers": True,
    "target_shape": [8, 1, 32, 32],
}


def segmented(highest=-0.2, share=0.02, losses=(0.7, 0.4), ended="closed", **facts):
    """A run on masks of which `share` is foreground; naming 0.02 everywhere gives a loss of 0.098."""
    batch = {"target_mean": share, "target_minimum": 0.0, "target_maximum": 1.0}
    outputs = [1.0 if step < 75 else highest for step in SAMPLED]
    samples = {step: batch | {"output_maximum": value} for step, value in zip(SAMPLED, outputs, strict=True)}
    run = make_run(np.linspace(*losses, 300).tolist(), batch=samples, facts=MASKS | facts)
    return check_rule(ImbalancedLabels, dataclasses.replace(run, ended=ended))


def test_fires_on_masks_that_are_left_blank():
    """No output above an even chance: while the share is not even learnt, or when it is all that is."""
    (found,) = segmented()
    assert found.message == (
        "Of the masks 2 % is foreground, and the model finds none of it: since step 128 no output was above -0.2, where"
        " 0 is an even chance; train_loss stands at 0.415, and naming that share everywhere gives 0.098."
    )
    assert "pos_weight of 49" in found.recommendations[0].action
    assert "bias to -3.9" in found.recommendations[1].action
    assert segmented(losses=(0.1, 0.1), ended=None)
    assert segmented(highest=0.4, loss_function="binary_cross_entropy")


@pytest.mark.parametrize(
    "known",
    [
        {"highest": 0.1},
        {"share": 0.31, "losses": (0.9, 0.9)},
        {"losses": (0.4, 0.15)},
        {"losses": (0.09, 0.09)},
        {"ended": None},
        {"loss_composed": True},
    ],
)
def test_silent_on_masks_that_are_found_or_still_learnt(known):
    """An output above an even chance, a share that is not rare, a loss that knows more or is on its way."""
    assert segmented(**known) == ()


@pytest.mark.parametrize("facts", [{"target_shape": [8, 3]}, {"target_integers": False}, {"loss_function": "mse"}])
def test_targets_that_are_no_masks_are_not_checked(facts):
    """Tags of which a few are set, shares, and heights."""
    assert isinstance(segmented(**facts), NotChecked)
