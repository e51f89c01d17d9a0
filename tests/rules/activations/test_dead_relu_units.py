"""AC01: fires where most units of a ReLU layer are dead for good, and not for sparsity or a few dead units."""

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.activations.dead_relu_units import DeadReluUnits
from trainhealth.testing import check_rule, make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.1).tolist()
STUCK = [2.3] * 300
WINDOWS = (64, 128, 192, 256)  # sampled steps at which a window ends


def relu(number=0, units=100):
    return LayerEntry(
        name=f"{number}/relu", type="relu", activation="relu", fed_by=f"{number}", units=units, unit_axis=1
    )


def dead(count):
    """The bit set of a layer in which `count` units are dead."""
    return f"{(1 << count) - 1:x}"


def judge(losses, *layers, **run):
    """Judge a run whose layers of 100 ReLUs had so many dead units in the windows."""
    columns = {step: [dead(layer[i]) for layer in layers] for i, step in enumerate(WINDOWS) if i < len(layers[0])}
    entries = [relu(number) for number in range(len(layers))]
    return check_rule(DeadReluUnits, make_run(losses, layers=entries, dead_units=columns, **run))


def fired(*args, **run):
    (found,) = judge(*args, **run)
    return found


def test_fires_where_all_units_died_and_the_loss_is_stuck():
    """The run is as good as lost: critical, with the units, the place and since when."""
    found = fired(STUCK, [0, 100, 100, 100])
    assert (found.severity, found.confidence, found.place) == (Severity.CRITICAL, Confidence.CERTAIN, "0/relu")
    assert found.message.startswith(
        "100 of 100 units of 0/relu are dead: none has fired since step 64 for any example;"
    )
    assert found.first_step == 64


def test_units_that_died_count_from_a_half_at_a_poor_loss():
    """Just above and just below."""
    assert fired(STUCK, [0, 50, 50]).severity is Severity.WARNING
    assert judge(STUCK, [0, 49, 49]) == ()


def test_units_that_were_never_alive_count_from_seven_tenths_at_a_poor_loss():
    """Freshly initialised deep nets are born with up to six tenths."""
    found = fired(STUCK, [71, 71])
    assert "have been dead since the start" in found.message
    assert found.first_step == 0
    assert judge(STUCK, [69, 69]) == ()


def test_units_count_from_eight_tenths_at_a_loss_that_falls():
    """A note: the net learns, but with a fifth of what is paid for."""
    assert fired(FALLING, [10, 80, 80]).severity is Severity.NOTE
    assert judge(FALLING, [10, 79, 79]) == ()


def test_a_layer_that_passes_nothing_is_a_warning_although_the_loss_falls():
    """The rest of the network does the work."""
    assert fired(FALLING, [10, 100, 100]).severity is Severity.WARNING


def test_ten_layers_are_one_finding():
    """One cause is one finding, with a piece of evidence a layer."""
    found = fired(STUCK, *[[0, 60 + number, 60 + number] for number in range(10)], [0, 10, 10])
    assert [piece.place for piece in found.evidence] == [f"{number}/relu" for number in range(10)]
    assert found.message.startswith("69 of 100 units of 9/relu")
    assert "(10 of 11 ReLU layers are concerned)" in found.message


def test_the_better_one_of_the_last_two_windows_counts():
    """One window may have been unlucky in its data."""
    assert judge(STUCK, [0, 20, 90]) == ()
    assert fired(STUCK, [0, 90, 90])


def test_one_window_is_enough():
    """It holds 3,000 examples: a run that has but one is judged by it."""
    assert fired(STUCK, [100])


# --- a whole layer, without a window ---


def silent_batches(shares, losses=STUCK):
    samples = {step: {"zero_fraction": [share]} for step, share in enumerate(shares)}
    return check_rule(DeadReluUnits, make_run(losses, layers=[relu()], samples=samples))


def test_a_layer_that_is_zero_in_eight_batches_is_dead():
    """Nothing at all fired in them: no window is needed."""
    (found,) = silent_batches([0.5, 0.9, *[1.0] * 8])
    assert found.message.startswith("100 of 100 units of 0/relu are dead: none has fired since step 1 for any example;")
    assert isinstance(silent_batches([0.5, 0.9, *[1.0] * 7]), NotChecked)


@pytest.mark.parametrize(("since", "size", "fires"), [(64, 200, True), (256, 200, False), (64, 100, False)])
def test_in_a_short_run_three_samples_over_half_of_it_are_enough(since, size, fires):
    """Samples come at 0, 1, 2, 4, 8, …: a layer that dies in the middle of 600 steps has few left, of many examples."""
    steps = (0, 1, 2, 4, 8, 16, 32, 64, 256, 512)
    samples = {step: {"zero_fraction": [1.0 if step >= since else 0.5]} for step in steps}
    run = make_run([2.3] * 600, layers=[relu()], samples=samples, batch_size=size)
    assert isinstance(check_rule(DeadReluUnits, run), NotChecked) is not fires


def test_zeros_that_are_not_all_are_sparsity():
    """Nine zeros of ten in every batch say nothing about units."""
    assert isinstance(silent_batches([0.999] * 50), NotChecked)


# --- not yet, or nothing to die ---


def test_not_checked_before_the_first_window():
    """Silence would be read as health."""
    answer = silent_batches([0.5] * 10)
    assert isinstance(answer, NotChecked)
    assert "3,000 examples" in answer.because


def test_silent_for_a_model_without_relu():
    """Where no unit can die, none has."""
    layers = [LayerEntry(name="0", type="Linear"), LayerEntry(name="0/gelu", type="gelu", activation="gelu")]
    samples = {0: {"zero_fraction": [0.0, 0.0]}}
    assert check_rule(DeadReluUnits, make_run(STUCK, layers=layers, samples=samples)) == ()


# --- when it is wrong ---


@pytest.mark.parametrize("windows", [[5, 40, 53, 53], [55, 30, 20, 20], [25, 25, 25, 25]])
def test_silent_on_the_dead_units_of_healthy_nets(windows):
    """Up to a half in a layer of a net that learns, and those of a fresh deep net that come alive."""
    assert judge(FALLING, windows) == ()


def test_silent_on_a_fresh_deep_net_whose_loss_stands():
    """Born with 0.55 dead: the loss stands for another reason."""
    assert judge(STUCK, [55, 55, 55]) == ()


def test_silent_on_units_that_come_back():
    """New data may wake a unit up: then it was not dead."""
    assert judge(STUCK, [0, 90, 90, 10]) == ()


# --- the advice ---


def recipes(found):
    return [advice.recipe for advice in found.recommendations]


def test_units_that_died_ask_for_a_lower_rate_from_fresh_weights():
    """A dead unit does not come back because the rate is lower."""
    found = fired(STUCK, [0, 100, 100], learning_rate=0.5)
    assert recipes(found) == ["lower-learning-rate", "batch-normalization", "leaky-relu"]
    assert found.recommendations[0].change.to == 0.03
    assert "fresh weights" in found.recommendations[0].action


def test_units_that_were_never_alive_ask_for_another_start():
    """The initialisation, or the inputs where they are unscaled."""
    assert recipes(fired(STUCK, [100])) == ["he-initialization", "small-positive-bias", "leaky-relu"]
    unscaled = {0: {"input_mean": 70.0, "input_std": 200.0}}
    assert recipes(fired(STUCK, [100], batch=unscaled))[1] == "standardize-inputs"
    assert recipes(fired(STUCK, [0, 100, 100], batch=unscaled))[1] == "standardize-inputs"
