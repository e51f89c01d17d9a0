"""OP05: fires where weights move at rates a thousand times apart and the loss is poor."""

import pytest

from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.unbalanced_updates import UnbalancedUpdates
from trainhealth.testing import check_rule, make_run

FLAT = [2.3] * 200
FALLING = [2.3 * 0.98**step for step in range(200)]
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128)


def judge(*ratios, losses=FLAT, groups=({"lr": 0.1},), steps=STEPS, kinds=()):
    """Judge a run of weights with these ratios; `kinds` are the types of their layers (Linear, if none is named)."""
    parameters = [ParameterEntry(name=f"{i}.weight", shape=[64, 64], layer=f"{i}") for i in range(len(ratios))]
    layers = [LayerEntry(name=f"{i}", type=kinds[i] if kinds else "Linear") for i in range(len(ratios))]
    columns = {"update_ratio": list(ratios)}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=list(groups))])
    run = make_run(losses, parameters=parameters, layers=layers, samples=dict.fromkeys(steps, columns), info=info)
    return check_rule(UnbalancedUpdates, run)


def test_fires_where_one_layer_stands_and_another_is_thrown_about():
    """The slowest and the fastest weight are named."""
    (found,) = judge(1e-6, 1e-4, 1e-2)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("Updates change 0.weight by 1e-06 of its norm and 2.weight by 0.01; train_loss")
    assert [piece.place for piece in found.evidence] == ["0.weight", "2.weight"]


def test_a_thousand_times_counts_and_less_does_not():
    """Healthy nets have ratios a hundred times apart."""
    assert judge(1e-6, 1e-3, 1.1e-3)
    assert judge(1.1e-6, 1e-3, 1e-3) == ()


def test_a_slow_layer_that_still_learns_is_no_illness():
    """At 2e-5 the weights change by their own size in 50,000 steps."""
    assert judge(1e-5, 0.1, 0.1)
    assert judge(2e-5, 0.1, 0.1) == ()


def test_waits_for_eight_samples_after_step_0():
    """The first update of an adaptive optimizer is unlike the others."""
    assert judge(1e-6, 1e-4, 1e-2, steps=STEPS)
    assert judge(1e-6, 1e-4, 1e-2, steps=STEPS[:-1]) == ()


# --- when it is wrong ---


def test_silent_at_a_loss_that_falls():
    """Then ratios that are apart do no harm."""
    assert judge(1e-6, 1e-4, 1e-2, losses=FALLING) == ()


def test_groups_with_rates_of_their_own_are_not_checked():
    """Fine-tuning moves the first layers a hundred times slower, on purpose."""
    assert isinstance(judge(1e-6, 1e-4, 1e-2, groups=({"lr": 1e-5}, {"lr": 0.1})), NotChecked)


def test_embeddings_and_frozen_weights_do_not_count():
    """Few rows of an embedding move in a step; a weight without any update is another rule's matter."""
    assert judge(1e-6, 1e-3, 1e-2, 1e-2, kinds=("Embedding", "Linear", "Linear", "Linear")) == ()
    assert judge(0.0, 1e-3, 1e-2, 1e-2) == ()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_left_out(value):
    """They neither stand nor move."""
    assert judge(value, 1e-3, 1e-2, 1e-2) == ()
