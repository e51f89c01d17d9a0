"""MO08: fires where the loss measures something else than was meant."""

import numpy as np
import pytest

from tests.rules.loss_facts import FALLING, SAMPLED, STUCK, run_with
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.mode.unsuited_loss import UnsuitedLoss
from trainhealth.testing import check_rule, make_run


def judge(function, *nodes, **run):
    return check_rule(UnsuitedLoss, run_with(function, *nodes, **run))


def classes(low=0.0, high=1.0, mean=0.5):
    return {"target_minimum": low, "target_maximum": high, "target_mean": mean}


ONE_HOT = {"target_shape": [32, 4], "output_shape": [32, 4], "target_integers": True}
ONE_OUTPUT = {"target_shape": [32, 1], "output_shape": [32, 1], "target_integers": True}
NUMBERS = {"target_shape": [32], "output_shape": [32, 1], "target_integers": True, "target_dtype": "int64"}


# --- the arguments are swapped ---


def test_swapped_arguments_are_named_whatever_the_loss_does():
    """Certain, by the graph; it goes before all that the loss then looks like."""
    (found,) = judge("binary_cross_entropy", "Sigmoid", loss_swapped=True)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert "in the place of the outputs" in found.message
    assert judge("binary_cross_entropy", "Sigmoid") == ()


# --- a logarithm is missing ---


@pytest.mark.parametrize(("node", "severity"), [("Softmax", Severity.WARNING), ("Addmm", Severity.CRITICAL)])
def test_fires_on_nll_of_anything_but_logarithms(node, severity):
    """Probabilities make it slow, scores have no lower bound."""
    (found,) = judge("nll", node)
    assert found.severity is severity
    assert found.recommendations[0].recipe == "logits-loss"


@pytest.mark.parametrize("node", ["LogSoftmax", "Log", "LogSigmoid", "Sub"])
def test_silent_on_nll_of_logarithms(node):
    """Also where the script subtracts the log-sum itself."""
    assert judge("nll", node) == ()


PROBABILITIES = {"target_minimum": 0.01, "target_maximum": 0.9, "target_mean": 0.25}


@pytest.mark.parametrize("node", ["Softmax", "Sigmoid"])
def test_fires_on_a_divergence_of_anything_but_logarithms(node):
    """kl_div of probabilities, also as one term of a loss that is named by another one."""
    (found,) = judge(None, divergence_graph=[f"{node}Backward0", "AddmmBackward0"])
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert "kl_div gets" in found.message
    assert judge("cross_entropy", "Addmm", divergence_graph=["ViewBackward0", f"{node}Backward0"])


def test_fires_on_a_divergence_of_scores_from_probabilities():
    """Only where the targets are a distribution: otherwise the form may be something else."""
    facts = {"divergence_graph": ["DivBackward0", "AddmmBackward0"], "target_shape": [32, 4]}  # with a temperature
    (found,) = judge(None, batch=PROBABILITIES, **facts)
    assert found.confidence is Confidence.LIKELY
    assert isinstance(judge(None, batch=PROBABILITIES | {"target_mean": 0.6}, **facts), NotChecked)
    assert isinstance(judge(None, **facts), NotChecked)


@pytest.mark.parametrize("node", ["LogSoftmax", "Log", "Sub"])
def test_silent_on_a_divergence_of_logarithms(node):
    """As it should be."""
    assert judge("soft_cross_entropy", "LogSoftmax", divergence_graph=[f"{node}Backward0", "AddmmBackward0"]) == ()


# --- the axis of the softmax ---


@pytest.mark.parametrize(
    ("first", "facts", "fires"),
    [
        (-4.7, {}, True),
        (0.0, {}, False),
        (-1e-4, {}, False),  # a likelihood of 1, as far as float32 goes
        (-4.7, {"loss_composed": True}, False),  # a bonus besides
        (-4.7, {"loss_factor": -1.0}, False),
    ],
)
def test_an_alignment_below_zero_is_no_likelihood(first, facts, fires):
    """Probabilities sum to 1 whatever the paths are; scores of a linear layer don't, and prove it at once."""
    found = judge("ctc", "View", "Addmm", losses=[first, *STUCK], **facts)
    assert isinstance(found, tuple)
    assert [(one.severity, one.confidence) for one in found] == [(Severity.CRITICAL, Confidence.CERTAIN)] * fires


def test_fires_on_a_softmax_over_the_batch():
    """Examples compete, in log_softmax before nll (which is a cross-entropy) and in a softmax before another loss."""
    shape = {"softmax_axis": 0, "loss_input_shape": [32, 10]}
    (found,) = judge("cross_entropy", "Addmm", **shape)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert judge("mse", "Softmax", **shape)
    assert judge("nll", "Log", **shape)  # of a softmax, which has the axis
    assert judge("soft_cross_entropy", "Addmm", **shape)


@pytest.mark.parametrize(
    ("axis", "shape"), [(1, [32, 10]), (2, [320, 21]), (0, [32, 32]), (0, [1, 10]), (0, [32, 1]), (None, [32, 10])]
)
def test_silent_on_other_axes_and_shapes(axis, shape):
    """Classes; sequences before reshaping; the square matrix of a contrastive loss; one example; unknown."""
    assert judge("cross_entropy", "Addmm", softmax_axis=axis, loss_input_shape=shape) == ()


def test_fires_on_cross_entropy_that_takes_the_batch_for_the_classes():
    """N outputs and N floating-point targets: one softmax over all examples."""
    shape = {"target_shape": [32], "output_shape": [32]}
    assert judge("soft_cross_entropy", "Squeeze", "Addmm", **shape, batch=classes())
    assert judge("soft_cross_entropy", "Addmm", **shape, batch=classes(mean=1 / 32)) == ()  # one one-hot example


# --- several labels ---


def test_fires_on_cross_entropy_with_several_labels():
    """Targets that sum to 2 an example are no probabilities; one-hot and mixed ones are."""
    shape = {"target_shape": [32, 4], "output_shape": [32, 4]}
    (found,) = judge("soft_cross_entropy", "Addmm", **shape, batch=classes(mean=0.5))
    assert "targets that sum to 2 an example" in found.message
    assert judge("soft_cross_entropy", "Addmm", **shape, batch=classes(mean=0.25)) == ()


# --- squared error on classes ---


@pytest.mark.parametrize("node", ["Softmax", "Sigmoid"])
@pytest.mark.parametrize("shape", [ONE_HOT | {"mean": 0.25}, ONE_OUTPUT | {"mean": 0.4}])
def test_fires_on_the_squared_error_of_probabilities(node, shape):
    """One-hot targets, or yes and no: the gradient fades where the model is sure and wrong."""
    (found,) = judge(
        "mse", node, "Addmm", losses=np.maximum(FALLING, 0.15 * FALLING[0]), batch=classes(mean=shape["mean"]), **shape
    )
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


@pytest.mark.parametrize("node", ["Softmax", "Sigmoid"])
def test_probabilities_that_were_learnt_are_a_note(node):
    """Below a tenth of the untrained loss, the squared error has done its work."""
    (found,) = judge("mse", node, "Addmm", losses=FALLING, batch=classes(mean=0.25), **ONE_HOT)
    assert found.severity is Severity.NOTE


def test_linear_outputs_are_a_note_while_they_learn():
    """The squared error is then often as good as cross-entropy; a warning where the loss stands."""
    for losses, severity in ((FALLING, Severity.NOTE), (STUCK, Severity.WARNING)):
        (found,) = judge("mse", "Addmm", losses=losses, batch=classes(mean=0.25), **ONE_HOT)
        assert found.severity is severity


def test_class_numbers_are_a_note_while_they_learn():
    """Whole numbers from 0 to at most 20, stored as integers, one output."""
    (found,) = judge("mse", "Addmm", batch=classes(0.0, 3.0, 1.5), **NUMBERS)
    assert found.severity is Severity.NOTE
    assert "whole numbers from 0 to 3" in found.message


@pytest.mark.parametrize(
    "run",
    [
        {"batch": classes(1.0, 5.0, 3.0), **NUMBERS},  # ratings
        {"batch": classes(0.0, 90.0, 40.0), **NUMBERS},  # ages
        {"batch": classes(0.0, 3.0, 1.5), **NUMBERS, "target_dtype": "float32"},
        {"batch": classes(mean=0.3), **ONE_HOT},  # pixels: not one one a row
        {"batch": classes(mean=1.0), **ONE_OUTPUT},  # a discriminator's targets
        {"batch": classes(mean=0.25) | {"input_features": 4.0, "input_mean": 0.25}, **ONE_HOT},  # an autoencoder
    ],
)
def test_silent_on_numbers_that_are_no_classes(run):
    """Ratings, ages, floats, binary images, targets that are all ones, rows that are learnt to be repeated."""
    assert judge("mse", "Sigmoid", **run) == ()


def test_silent_on_adversaries():
    """A least-squares GAN squares the distance to 0 and 1, and its log names both."""
    facts = {"loss_function": "mse", "loss_input_graph": ["SigmoidBackward0"], **ONE_OUTPUT}
    batch = {step: classes() for step in SAMPLED}
    evaluations = {1: {"loss_D": 1.0, "loss_G": 1.0}}
    run = make_run(FALLING, facts=facts, batch=batch, evaluations=evaluations)
    assert check_rule(UnsuitedLoss, run) == ()


def test_a_number_as_loss_is_not_checked():
    """It has no graph."""
    assert isinstance(check_rule(UnsuitedLoss, make_run([1.0])), NotChecked)


# --- a class that is ignored ---

IGNORING = {"ignore_index": 0, "classes": 4, "target_shape": [32], "loss_input_shape": [32, 4], "input_shape": [32, 9]}
EVEN = {"classes_seen": 4.0, "majority_share": 0.3, "minority_share": 0.2, "input_mean": 0.1}


def ignoring(batch=None, **facts):
    return judge("cross_entropy", "Addmm", batch=EVEN | (batch or {}), **IGNORING | facts)


@pytest.mark.parametrize("index", [0, 3])
def test_fires_on_an_ignored_index_that_is_a_class(index):
    """Of examples with one label each."""
    (found,) = ignoring(ignore_index=index)
    assert f"ignores class {index} (ignore_index={index}), which is one of the 4 classes" in found.message
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


@pytest.mark.parametrize(
    ("batch", "facts"),
    [
        ({}, {"ignore_index": -100}),
        ({}, {"ignore_index": 255}),
        ({}, {"ignore_index": 4}),
        ({}, {"target_shape": [32, 7], "loss_input_shape": [224, 4]}),  # a label a place: filling
        ({}, {"target_shape": [224], "loss_input_shape": [224, 4]}),  # the same, flattened
        ({}, {"loss_input_shape": [32, 4, 8, 8], "target_shape": [32, 8, 8]}),  # a map of labels
        ({}, {"input_shape": None}),
        ({"classes_seen": 3.0}, {}),  # nothing of it among the targets
        ({"majority_share": 0.8}, {}),  # most examples have no label
        ({"minority_share": 0.05}, {}),  # a few have none
    ],
)
def test_silent_on_an_ignored_index_that_is_none(batch, facts):
    """The default, filling, and examples without a label."""
    assert ignoring(batch, **facts) == ()


def test_silent_on_an_ignored_word():
    """Inputs that are whole numbers have no mean: a vocabulary's filling is a class, too."""
    batch = {name: value for name, value in EVEN.items() if name != "input_mean"}
    assert judge("cross_entropy", "Addmm", batch=batch, **IGNORING) == ()
