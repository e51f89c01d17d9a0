"""GE02: fires where a run has stopped at the level of guessing, and not where it still learns or can't be judged."""

import math

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked
from trainhealth.records import LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.generalization.underfitting import Underfitting
from trainhealth.testing import check_rule, make_run

TEN = {"loss_function": "cross_entropy", "loss_reduction": "mean", "classes": 10, "target_shape": [64]}
SQUARES = {
    "loss_function": "mse",
    "loss_reduction": "mean",
    "target_mean_square": 5.0,
    "target_std": 2.0,
    "target_shape": [200],
}
CHANCE = math.log(10)


def noisy(level, count=800, sigma=0.02, seed=0):
    return (np.asarray(level) + np.random.default_rng(seed).normal(0, sigma, count)).tolist()


def judge(losses, facts=TEN, **run):
    return check_rule(Underfitting, make_run(losses, facts=facts, **run))


def epochs(**columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize(("share", "fires"), [(0.82, True), (0.78, False)])
def test_fires_just_above_the_share_of_chance_and_not_just_below(share, fires):
    """Flat at 0.82 or 0.78 of log 10."""
    assert bool(judge(noisy(share * CHANCE))) is fires


@pytest.mark.parametrize(("share", "fires"), [(0.93, True), (0.87, False)])
def test_regression_leaves_room_for_the_variance_of_the_first_targets(share, fires):
    """With 200 targets in the first batch the limit is 0.8 + sqrt(2 / 200) = 0.9 of their variance, 4."""
    assert bool(judge(noisy(share * 4), SQUARES)) is fires


def test_says_where_both_losses_ended_and_what_guessing_gives():
    """The message holds three levels and since when nothing improved."""
    (found,) = judge(noisy(2.3), epochs=epochs(validation_loss=[2.31] * 10))
    assert found.message.startswith(
        "train_loss at 2.3 and validation_loss at 2.31, where a model that knows nothing has 2.3"
    )
    assert [evidence.signal for evidence in found.evidence] == ["train_loss", "validation_loss"]


@pytest.mark.parametrize(("share", "right", "fires"), [(0.55, 0.4, True), (0.45, 0.4, False), (0.55, 0.6, False)])
def test_a_poor_accuracy_makes_half_of_the_loss_suspicious(share, right, fires):
    """At 0.55 of log 10 with 40 % right it is a hint; not at 0.45, and not with 60 % right."""
    found = judge(noisy(share * CHANCE), epochs=epochs(validation_accuracy=[right] * 10))
    assert bool(found) is fires
    if found:
        assert found[0].confidence is Confidence.HINT
        assert "with 33% of the skill that is possible" in found[0].message


@pytest.mark.parametrize(("validation", "fires"), [(0.59, True), (0.62, False)])
def test_half_of_the_loss_is_no_sign_where_validation_is_worse(validation, fires):
    """0.55 of log 10 on training data with a gap of more than a tenth: that is variance, too, and not this illness."""
    found = judge(
        noisy(0.55 * CHANCE),
        epochs=epochs(validation_loss=[validation * CHANCE] * 10, validation_accuracy=[0.4] * 10),
    )
    assert bool(found) is fires


def test_a_sum_is_judged_by_its_terms():
    """The training loss is summed over 64 samples, the validation loss is a mean."""
    facts = TEN | {"loss_reduction": "sum"}
    assert judge(noisy(64 * 2.3), facts, epochs=epochs(validation_loss=[2.31] * 10))
    assert judge(noisy(64 * 1.0), facts, epochs=epochs(validation_loss=[1.0] * 10)) == ()


def test_a_strong_penalty_is_named_first():
    """A weight decay of 0.5 explains it: lower it."""
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="Adam", groups=[{"weight_decay": 0.5}])], parameters=1234)
    (found,) = judge(noisy(2.3), info=info)
    assert [r.recipe for r in found.recommendations] == ["weight-decay", "larger-model", "find-learning-rate"]
    assert found.recommendations[0].change.to == pytest.approx(0.005)
    assert "1234 parameters" in found.recommendations[1].action


# --- not before there is enough ---


@pytest.mark.parametrize(("ratio", "first"), [(0.011, "lower-learning-rate"), (0.009, "check-the-loss")])
def test_long_updates_put_the_rate_first(ratio, first):
    """From 1 % of the weights a step on the rate is tried before all else; the first update does not count."""
    samples = {0: {"update_ratio": [1.0]}} | {step: {"update_ratio": [ratio]} for step in (1, 2, 4, 8)}
    weight = [ParameterEntry(name="weight", shape=[10, 64])]
    (found,) = judge(noisy(2.3), parameters=weight, samples=samples, learning_rate=0.1)
    assert found.recommendations[0].recipe == first
    if first == "lower-learning-rate":
        assert found.recommendations[0].change.to == 0.01


def test_waits_for_200_steps_and_for_600_where_something_was_learnt():
    """At the level of guessing 200 steps suffice; at 0.85 of it the run may just be slow."""
    assert isinstance(judge(noisy(2.3, 199)), NotChecked)
    assert judge(noisy(2.3, 200))
    assert isinstance(judge(noisy(0.85 * CHANCE, 599)), NotChecked)
    assert judge(noisy(0.85 * CHANCE, 600))


def test_waits_for_ten_epochs():
    """Where a value stands for an epoch, ten suffice."""
    for count, answer in ((9, NotChecked), (10, tuple)):
        run = make_run((), epochs=epochs(train_loss=[2.3] * count), facts=TEN)
        assert isinstance(check_rule(Underfitting, run), answer)


def test_waits_for_the_end_of_a_warm_up():
    """While the rate rises nothing is to be expected yet."""
    assert isinstance(judge(noisy(2.3), learning_rate=[1e-6 * step for step in range(800)]), NotChecked)


# --- when it is wrong ---


def test_a_late_start_fires_only_while_it_is_flat():
    """Flat at the level of guessing, then falling: silent as soon as it falls."""
    late = [*noisy(2.3, 700), *noisy(2.3 * np.exp(-np.arange(300) / 150), 300)]
    assert judge(late[:700])
    assert judge(late[:800]) == ()
    assert judge(late) == ()


def test_silent_on_strong_dropout():
    """The training loss is poor, the validation loss is good."""
    assert judge(noisy(2.0), epochs=epochs(validation_loss=[0.5] * 10)) == ()


def test_silent_while_it_improves_however_slowly():
    """By 4 per cent in the second half; or in accuracy while the loss hardly moves, as at the lecture's low rate."""
    assert judge(noisy(np.linspace(2.3, 2.1, 800))) == ()
    rising = epochs(validation_accuracy=np.linspace(0.1, 0.19, 10), validation_loss=[2.302] * 10)
    assert judge(noisy(2.302, sigma=1e-4), epochs=rising) == ()


def test_silent_where_the_accuracy_is_good():
    """A loss near guessing with 70 % right is overconfidence or label smoothing, not a lack of capacity."""
    assert judge(noisy(2.0), epochs=epochs(validation_accuracy=[0.7] * 10)) == ()
    assert judge(noisy(2.0), epochs=epochs(validation_accuracy=[0.2] * 10))


def test_silent_on_a_gap():
    """A good training loss with a poor validation loss is another illness."""
    assert judge(noisy(0.1), epochs=epochs(validation_loss=[2.3] * 10)) == ()


@pytest.mark.parametrize("facts", [{}, TEN | {"classes": None}, TEN | {"loss_composed": True}, {"loss_function": "l1"}])
def test_not_checked_where_poor_has_no_meaning(facts):
    """Unknown loss, unknown classes, penalties, a loss without a scale."""
    assert isinstance(judge(noisy(2.3), facts), NotChecked)


def test_not_checked_in_reinforcement_learning():
    """A loss that does not fall says nothing there."""
    assert isinstance(judge(noisy(2.3), evaluations={9: {"ep_rew_mean": 1.0}}), NotChecked)


def test_a_model_that_names_only_the_common_class_has_learnt_nothing():
    """Nine of ten in one of two classes: guessing costs 0.325. Where the share is not logged: known miss."""
    two = TEN | {"classes": 2}
    assert judge(noisy(0.3), two) == ()
    (found,) = judge(noisy(0.3), two, batch={0: {"majority_share": 0.9}})
    assert "a model that knows nothing has 0.325" in found.message
    assert judge(noisy(0.2), two, batch={0: {"majority_share": 0.9}}) == ()


@pytest.mark.parametrize(
    "run",
    [
        {"facts": {"loss_function": "binary_cross_entropy_with_logits"}},
        {
            "facts": {"loss_function": "binary_cross_entropy", "classes": 2, "target_shape": [64]},
            "batch": {0: {"majority_share": 1.0}},
        },
    ],
)
def test_not_checked_on_an_adversary_that_is_watched_alone(run):
    """A GAN's generator: its binary loss stays near log 2 when all is well, and its targets are all "real"."""
    assert isinstance(judge(noisy(0.8), **run), NotChecked)


def test_silent_on_a_loss_that_ended_in_nan():
    """That is another rule's finding."""
    assert judge([*noisy(2.3), *[math.nan] * 5]) == ()


@pytest.mark.parametrize(("end", "count", "fires"), [(0.7, 30, True), (0.45, 30, False), (0.7, 10, False)])
def test_fires_where_twice_the_steps_would_leave_it_poor(end, count, fires):
    """A loss that creeps: from 0.77 to 0.7 over the second half, and so to 0.63. A run of ten epochs has just begun."""
    steps = np.linspace(0, 1, 2000)
    level = CHANCE * (end + 0.07 * (1 - 2 * np.maximum(steps - 0.5, 0)) + (0.93 - end) * np.exp(-steps * 20))
    accuracy = {"validation_accuracy": [0.3] * count, "validation_loss": [(end + 0.05) * CHANCE] * count}
    assert bool(judge(noisy(level, 2000), epochs=epochs(**accuracy))) is fires


def through(units, kind="Linear"):
    """Layers of a net whose second one has `units` units."""
    layers = [LayerEntry(name="0", type=kind, units=64), LayerEntry(name="2", type="Linear", units=units)]
    return [*layers, LayerEntry(name="4", type="Linear", units=64), LayerEntry(name="6", type="Linear", units=10)]


@pytest.mark.parametrize(
    ("layers", "share", "fires"),
    [
        (through(4), 0.3, True),
        (through(7), 0.3, False),
        (through(4), 0.1, False),
        (through(4, kind="Conv2d"), 0.3, False),  # it may be a gate beside the way
    ],
)
def test_fires_behind_a_layer_that_is_too_narrow_for_the_classes(layers, share, fires):
    """Four units for ten classes: a loss that stands at 0.3 of guessing is poor; at 0.1 the units suffice."""
    found = judge(noisy(share * CHANCE), layers=layers)
    assert bool(found) is fires
    if fires:
        assert "2 has 4 units for 10 classes" in found[0].message
        assert found[0].recommendations[0].action == "Widen 2: from 4 units to 80 or more."


@pytest.mark.parametrize(
    ("classes", "units", "fires"), [(4, 2, True), (3, 2, False), (50_000, 64, False), (2, 1, True), (2, 2, False)]
)
def test_how_narrow_is_too_narrow_depends_on_the_classes(classes, units, fires):
    """Any three classes can lie apart in two dimensions, four can't; 64 units name any word of a vocabulary.

    One unit is one weighted sum of the inputs: too little wherever the fit is poor.
    """
    found = judge(noisy(0.3 * math.log(classes)), facts=TEN | {"classes": classes}, layers=through(units))
    assert bool(found) is fires


@pytest.mark.parametrize(("share", "fires"), [(0.55, True), (0.45, False)])
def test_behind_a_narrow_layer_a_gap_excuses_less(share, fires):
    """With validation a half worse, the layer is to blame where half of guessing's loss is left in training."""
    right = epochs(validation_loss=[1.5 * share * CHANCE] * 10, validation_accuracy=[0.6] * 10)
    assert bool(judge(noisy(share * CHANCE), layers=through(4), epochs=right)) is fires
    assert judge(noisy(share * CHANCE), layers=through(64), epochs=right) == ()


def test_the_accuracies_of_tiny_batches_are_averaged():
    """Of batches of one, a fifth is right: the last three happen to be, which is no skill."""
    steps = list(range(0, 800, 8))
    right = [1.0 if step % 40 == 0 else 0.0 for step in steps[:-3]] + [1.0] * 3
    batch = {step: {"train_accuracy": value} for step, value in zip(steps, right, strict=True)}
    assert judge(noisy(0.85 * CHANCE), batch=batch, batch_size=1)


@pytest.mark.parametrize(("share", "right", "first"), [(1.0, 0.12, "check-the-loss"), (0.85, 0.3, "larger-model")])
def test_where_nothing_is_learnt_size_comes_last(share, right, first):
    """A model of any size learns 20 examples by heart, unless something is wrong with it."""
    (found,) = judge(noisy(share * CHANCE), epochs=epochs(validation_accuracy=[right] * 10))
    recipes = [advice.recipe for advice in found.recommendations]
    assert recipes[0] == first
    assert (recipes[-1] == "larger-model") is (first == "check-the-loss")


@pytest.mark.parametrize(("ratio", "count", "fires"), [(2e-3, 20, False), (6e-3, 20, True), (4e-4, 220, True)])
def test_a_few_small_updates_tell_nothing_of_capacity(ratio, count, fires):
    """Twenty of 0.2 % together are 4 % of the weights at most; 220 steps are enough to see whether anything moves."""
    weight = [ParameterEntry(name="weight", shape=[10, 64])]
    samples = {step: {"update_ratio": [ratio]} for step in (1, 2, 4, 8, 16)}
    rows = epochs(validation_loss=[2.31] * count)
    found = judge([2.31] * count, parameters=weight, samples=samples, learning_rate=0.01, epochs=rows)
    assert isinstance(found, tuple) is fires
