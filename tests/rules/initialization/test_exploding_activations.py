"""IN02: fires where the signal grows with depth at the start and the loss shows it, and not otherwise."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.initialization.exploding_activations import ExplodingActivations
from trainhealth.testing import check_rule, make_run

GROWING = [1.0, 3.0, 9.0, 27.0, 81.0, 243.0]
FALLING = [2.3 * 0.96**step for step in range(200)]
POOR = [2.3] * 200
CLASSES = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10}


def judge(stds, losses=POOR, function="relu", norm=False, first=0, **run):
    layers, column = [], []
    for i, std in enumerate(stds):
        layers += [LayerEntry(name=f"{i}", type="Linear")]
        layers += [LayerEntry(name=f"{i}.norm", type="BatchNorm1d")] if norm else []
        layers += [LayerEntry(name=f"{i}/{function}", type=function, activation=function, fed_by=f"{i}")]
        column += [*[1.0] * (2 if norm else 1), std]
    samples = {step: {"example_std": column} for step in (first, 128)}
    return check_rule(ExplodingActivations, make_run(losses, layers=layers, samples=samples, **run))


def test_fires_where_the_signal_grows_and_the_loss_is_poor():
    """Six layers, three times as large in each."""
    (found,) = judge(GROWING)
    assert found.severity is Severity.CRITICAL
    assert (found.first_step, found.place) == (0, "0/relu")
    assert found.message.startswith(
        "At step 0 the signal grows over 6 relu layers: its std rises from 1 (0/relu) to 243 (5/relu), 240-fold; "
        "train_loss began at 2.3"
    )
    assert "Initialise layers 0 to 5 with He" in found.recommendations[0].action


def test_a_first_loss_far_above_guessing_is_enough():
    """The outputs are too large: a warning, though training recovers."""
    (found,) = judge(GROWING, [300 * loss for loss in FALLING], facts=CLASSES)
    assert found.severity is Severity.WARNING
    assert found.message.endswith("train_loss begins at 690, where guessing gives 2.3.")
    assert judge(GROWING, [2.9 * loss for loss in FALLING], facts=CLASSES) == ()


def test_a_hundredfold_counts_and_less_does_not():
    """From the first function to the last."""
    assert judge([1.0, 4.7, 21.5, 101.0])
    assert judge([1.0, 4.7, 21.5, 99.0]) == ()


# --- when it is wrong ---


def test_silent_where_the_loss_begins_and_falls_as_it_should():
    """A residual net without normalisation grows with every block."""
    assert judge(GROWING, FALLING, facts=CLASSES) == ()


def test_silent_behind_normalisation_and_for_bounded_functions():
    """There is no chain to grow along."""
    assert judge(GROWING, norm=True) == ()
    assert judge(GROWING, function="tanh") == ()


def test_one_large_layer_is_not_depth():
    """All of the growth at a blow: the scale of one layer."""
    assert judge([1.0, 1.1, 500.0, 510.0]) == ()


@pytest.mark.parametrize("stds", [[], [1.0], [1.0, 500.0], [0.0, 1.0, 500.0]])
def test_needs_a_chain(stds):
    """Three functions at least, and a signal at the first."""
    assert judge(stds) == () or isinstance(judge(stds), NotChecked)


def test_a_log_that_begins_later_is_not_checked():
    """How the signal passed at first was not seen."""
    assert isinstance(judge(GROWING, first=5), NotChecked)
