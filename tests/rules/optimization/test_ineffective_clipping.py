"""OP15: fires where a limit is not kept, or is so tight that nothing moves."""

import pytest

from trainhealth.findings import Confidence, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.ineffective_clipping import IneffectiveClipping
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[64, 64]) for i in (0, 2, 4)]
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 192)
FALLING = [2.3 * 0.98**step for step in range(200)]
FLAT = [2.3] * 200


def judge(
    before=10.0, after=10.0, losses=FALLING, ratio=1e-3, steps=STEPS, optimizer="SGD", scale=None, **hyperparameters
):
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=optimizer)], hyperparameters=hyperparameters)
    samples = {step: {"parameter_gradient_norm": [before / 3**0.5] * 3, "update_ratio": [ratio] * 3} for step in steps}
    batch = {step: {"clipped_gradient_norm": after} | ({"loss_scale": scale} if scale else {}) for step in steps}
    return check_rule(
        IneffectiveClipping, make_run(losses, parameters=WEIGHTS, samples=samples, batch=batch, info=info)
    )


# --- without effect ---


@pytest.mark.parametrize("name", ["clip", "grad_clip", "max_grad_norm", "gradient_clip_val", "clip_norm", "optim.clip"])
def test_fires_where_a_limit_that_is_named_is_not_kept(name):
    """A limit of 1, and the optimizer gets gradients of 10."""
    (found,) = judge(**{name: 1.0})
    assert found.severity is Severity.WARNING
    assert found.message == (
        "The limit of gradient clipping is 1, but the optimizer got gradients of norms up to 10 "
        "(10 of 10 sampled steps are above it)."
    )


@pytest.mark.parametrize("name", ["clip_range", "clip_value", "max_grad_norms_file", "eclipse", "epochs"])
def test_other_hyperparameters_are_no_limit(name):
    """PPO's clip_range limits ratios of probabilities."""
    assert judge(**{name: 1.0}) == ()


def test_silent_where_the_limit_is_kept_or_never_reached():
    """Clipping that acts, and clipping that has nothing to do, are both in order."""
    assert judge(after=1.0, clip=1.0) == ()
    assert judge(before=0.9, after=0.9, clip=1.0) == ()
    assert judge(before=10.0, after=10.0) == ()


def test_a_limit_that_is_off_means_no_clipping():
    """Zero, infinity and None switch it off in most scripts."""
    assert judge(clip=0) == judge(clip=float("inf")) == judge(clip=None) == judge(clip=True) == ()


def test_clipping_in_another_way_is_not_without_effect():
    """The optimizer got less than backward left: something clips, if not the norm over all parameters."""
    assert judge(before=10.0, after=5.0, clip=1.0) == ()


# --- too tight ---


def test_fires_where_clipping_lets_nothing_through():
    """It keeps a thousandth, the weights stand, and so does the loss."""
    (found,) = judge(before=10.0, after=0.01, losses=FLAT, ratio=1e-6)
    assert found.message.startswith(
        "Clipping leaves 0.01 of a gradient of norm 10, and an update changes the weights by 1e-06 of their norm"
    )
    change = found.recommendations[0].change
    assert (change.parameter, change.from_, change.to) == ("clip_norm", pytest.approx(0.01), 10.0)


def test_tight_clipping_that_lets_the_weights_move_is_fine():
    """A high rate makes up for it: then the loss falls, or stands for another reason."""
    assert judge(after=0.01, losses=FLAT, ratio=6e-4) == ()
    assert judge(after=0.01, losses=FALLING, ratio=1e-6) == ()


def test_a_limit_that_met_scaled_gradients_is_told():
    """1.5e-5 is a limit of 1, divided by 65536: unscale before clipping, and leave the limit."""
    (found,) = judge(before=2.0, after=1 / 65536, losses=FLAT, ratio=1e-6, scale=65536.0)
    assert "as gradients were clipped that a loss scaler had multiplied by 65536," in found.message
    assert found.recommendations[0].action.startswith("Call scaler.unscale_(optimizer)")
    assert found.recommendations[0].action.endswith("before gradients are clipped at 1.")
    (found,) = judge(before=2.0, after=0.001, losses=FLAT, ratio=1e-6, scale=65536.0)
    assert found.recommendations[0].action == "Raise the limit of clipping from 0.001 to 2."


@pytest.mark.parametrize(
    ("kept", "optimizer", "fires"), [(0.001, "SGD", True), (0.02, "SGD", False), (0.001, "Adam", False)]
)
def test_where_next_to_nothing_is_kept_short_steps_count_too(kept, optimizer, fires):
    """A ratio of 3e-4 is little for SGD that loses 99 % of its gradient; an adaptive optimizer loses no length."""
    assert bool(judge(10.0, 10.0 * kept, losses=FLAT, ratio=3e-4, optimizer=optimizer)) is fires


def test_clipping_is_not_to_blame_where_updates_would_be_tiny_without_it():
    """An update ratio of 1e-7 that would be 1e-6: the rate is too low."""
    assert judge(before=0.1, after=0.01, losses=FLAT, ratio=1e-7) == ()


def test_waits_for_eight_samples():
    """The first steps are the steepest."""
    assert judge(after=0.01, losses=FLAT, ratio=1e-6, steps=STEPS[:8])
    assert judge(after=0.01, losses=FLAT, ratio=1e-6, steps=STEPS[:7]) == ()


@pytest.mark.parametrize(("decay", "fires"), [(0.01, True), (0.0, False)])
def test_weight_decay_is_not_clipped_and_does_not_count(decay, fires):
    """An update ratio of 2e-3 is what a rate of 0.02 and momentum make of a decay of 0.01: clipping left nothing."""
    group = {"lr": 0.02, "momentum": 0.9, "weight_decay": decay}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[group])])
    columns = {"parameter_gradient_norm": [10.0] * 3, "update_ratio": [2e-3] * 3}
    run = make_run(
        FLAT,
        learning_rate=0.02,
        parameters=WEIGHTS,
        samples=dict.fromkeys(STEPS, columns),
        batch={step: {"clipped_gradient_norm": 1e-3} for step in STEPS},
        info=info,
    )
    assert bool(check_rule(IneffectiveClipping, run)) is fires


@pytest.mark.parametrize(
    ("kept", "ratio", "end", "fires"),
    [
        (0.005, 1e-5, 1.2, True),
        (0.02, 1e-5, 1.2, False),
        (0.005, 5e-5, 1.2, False),
        (0.005, 1e-5, 0.5, False),
    ],
)
def test_fires_on_a_loss_that_only_creeps(kept, ratio, end, fires):
    """Where 99 % of the gradient is cut off and hardly anything moves, a falling loss is no excuse; a low one is."""
    creeping = [2.3 + (end - 2.3) * step / 200 for step in range(200)]
    assert bool(judge(10.0, 10.0 * kept, losses=creeping, ratio=ratio)) is fires


# --- in the wrong place ---


def placed(after, **facts):
    samples = {step: {"parameter_gradient_norm": [after / 3**0.5] * 3, "update_ratio": [1e-3] * 3} for step in STEPS}
    batch = {step: {"clipped_gradient_norm": after} for step in STEPS}
    return check_rule(
        IneffectiveClipping, make_run(FALLING, parameters=WEIGHTS, samples=samples, batch=batch, facts=facts)
    )


def test_clipping_that_trainhealth_run_has_seen_elsewhere():
    """Certain; with what has come through, a warning."""
    (found,) = placed(10.0, clipping_misplaced=1.0)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert "(at 1) between optimizer.step() and the next loss.backward()" in found.message
    assert "norms up to 10 have reached the optimizer" in found.message


def test_it_is_a_note_as_long_as_no_gradient_was_above_the_limit():
    """It has done no harm so far."""
    (found,) = placed(0.9, clipping_misplaced=1.0)
    assert found.severity is Severity.NOTE
    assert placed(10.0) == ()
