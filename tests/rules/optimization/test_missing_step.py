"""OP13: fires where no weight has ever moved though there are gradients, and says why."""

import numpy as np
import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.missing_step import MissingStep
from trainhealth.testing import check_rule, make_run

WEIGHTS = [ParameterEntry(name=f"{i}.weight", shape=[8, 8]) for i in (0, 2)]
FLAT = [2.3] * 100
STEPS = (0, 1, 2, 4, 8, 16, 32)


def judge(
    ratios=0.0,
    gradients=1.0,
    clipped=None,
    steps=STEPS,
    learning_rate=0.1,
    optimizers=1,
    lr=0.1,
    facts=None,
    norms=None,
    losses=FLAT,
):
    """Judge a run with these values in both weights (a number for all samples, or one a sample)."""
    samples = {}
    for i, step in enumerate(steps):
        gradient = gradients[i] if isinstance(gradients, list) else gradients
        samples[step] = {"parameter_gradient_norm": [gradient] * 2}
        ratio = ratios[i] if isinstance(ratios, list) else ratios
        norm = norms[i] if isinstance(norms, list) else norms
        samples[step] |= {} if norm is None else {"parameter_norm": [norm] * 2}
        samples[step] |= {} if ratio is None else {"update_ratio": [ratio] * 2}
    batch = {step: {"clipped_gradient_norm": clipped} for step in steps} if clipped is not None else None
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[{"lr": lr}])] * optimizers)
    run = make_run(
        losses,
        parameters=WEIGHTS,
        samples=samples,
        batch=batch,
        info=info,
        learning_rate=learning_rate,
        facts=facts,
    )
    return check_rule(MissingStep, run)


def message(**run):
    (found,) = judge(**run)
    assert found.severity is Severity.CRITICAL
    return found.message


def test_an_optimizer_that_never_steps():
    """There are gradients, and no update was ever seen."""
    assert message(ratios=None).endswith("the optimizer has made no update.")


def test_silent_where_updates_were_not_measured_and_the_loss_falls():
    """`probes=("gradients",)` leaves updates out, and nothing falls without them."""
    assert judge(ratios=None, losses=np.linspace(2.3, 0.5, len(FLAT)).tolist()) == ()


@pytest.mark.parametrize("clipped", [None, 0.0])
def test_gradients_that_are_cleared_before_the_update(clipped):
    """zero_grad between backward and step: the optimizer gets zeros, or nothing."""
    assert message(clipped=clipped).endswith("the gradient was zero again when the optimizer began its step.")


def test_a_rate_of_zero():
    """The optimizer was made with it, and it never changed."""
    assert message(clipped=1.0, learning_rate=0.0, lr=0.0).endswith("the learning rate is 0.")


def test_updates_of_zero_for_another_reason():
    """It says what is known: neither gradient nor rate are zero."""
    assert message(clipped=1.0).endswith("every update is 0.")


def test_updates_that_are_lost_in_rounding():
    """A rate of 0.1 times a gradient of 1e-9, of weights of norm 5; ten thousand times as much would move them."""
    assert message(clipped=1e-9, gradients=1e-9, norms=5.0).endswith("is 2e-11 of the weights, and lost in rounding.")
    assert message(clipped=1e-5, gradients=1e-5, norms=5.0).endswith("every update is 0.")


def test_waits_for_five_samples():
    """A warm-up may begin with a step or two at a rate of 0."""
    assert judge(steps=STEPS[:5])
    assert judge(steps=STEPS[:4]) == ()


def test_one_update_is_enough():
    """A rate that comes down to 0 later, or a scaler that skips the first steps, is another matter."""
    assert judge(ratios=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1e-8]) == ()
    assert judge(ratios=[1e-3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]) == ()


def test_a_gradient_of_zero_is_another_illness():
    """Dead units and saturated outputs give it: there is nothing to update with."""
    assert judge(gradients=0.0) == ()


NOWHERE = float("nan")


def test_an_optimizer_of_another_model():
    """The loss is computed by a model, and none of the optimizer's parameters ever has a gradient."""
    (found,) = judge(gradients=NOWHERE, facts={"loss_form": "tensor", "loss_input_graph": ["AddmmBackward0"]})
    assert found.message.endswith("no gradient reaches the parameters that the optimizer holds.")
    assert found.recommendations[0].action.startswith("Make the optimizer of the model")


@pytest.mark.parametrize("facts", [{"loss_form": "number"}, {"loss_form": "tensor", "loss_input_graph": []}])
def test_a_loss_that_is_cut_off_from_the_model(facts):
    """A new Variable made of the loss; an argmax before the loss function."""
    (found,) = judge(gradients=NOWHERE, facts=facts)
    assert "cut off from the model" in found.message


def test_one_gradient_is_enough():
    """A loss that reaches the weights now and then (phases, adversaries in turns) is not cut off."""
    assert judge(gradients=[NOWHERE, 1e-3, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE]) == ()
    assert judge(gradients=NOWHERE, steps=STEPS[:4]) == ()


def test_weights_that_do_move_have_updates_that_are_not_seen():
    """One in compiled code passes no hook, and changes the norm of the weights."""
    assert judge(ratios=None, norms=3.0)
    assert judge(ratios=None, norms=[3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.001]) == ()


def test_updates_without_a_known_gradient_are_updates():
    """Evolution strategies write the weights themselves."""
    assert judge(gradients=NOWHERE, ratios=1e-3) == ()


def test_a_log_without_optimizer_is_not_checked():
    """Watching without an optimizer sees no updates by design."""
    assert isinstance(judge(optimizers=0), NotChecked)


# --- what trainhealth run tells ---


def scripted(losses, epochs=0, ratios=0.001, **facts):
    """Judge a run of these losses with these facts, and evaluations spread over it."""
    samples = {0: {"parameter_gradient_norm": [1.0] * 2, "update_ratio": [ratios] * 2}}
    info = RunInfo(optimizers=[OptimizerInfo(name="", type="SGD", groups=[{"lr": 0.1}])])
    run = make_run(losses, parameters=WEIGHTS, samples=samples, epochs=[{}] * epochs, info=info, facts=facts)
    return check_rule(MissingStep, run)


def test_a_script_that_has_ended_without_an_update():
    """It saw every backward, and no update: certain, with few samples."""
    (found,) = scripted(FLAT, backwards_without_update=100)
    assert found.message == "The optimizer has made no update in 100 backward passes."
    assert scripted(FLAT, backwards_without_update=8)
    assert scripted(FLAT, backwards_without_update=7) == ()


FALLING = [2.3 * 0.9**step for step in range(30)]


def test_an_update_an_epoch_whose_gradients_were_thrown_away():
    """However well the loss falls, most of the passes were for nothing."""
    (found,) = scripted(FALLING, epochs=30, backwards_an_update={"backwards": 28, "discarded": 27})
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert "once in 28 backward passes" in found.message


def test_an_update_an_epoch_of_added_gradients_counts_where_the_loss_is_poor():
    """Gradient descent on all data at once may be meant, and may do well."""
    counted = {"backwards": 28, "discarded": 0}
    (found,) = scripted([2.3] * 30, epochs=30, backwards_an_update=counted)
    assert found.confidence is Confidence.LIKELY
    assert scripted(FALLING, epochs=30, backwards_an_update=counted) == ()


@pytest.mark.parametrize(("losses", "epochs"), [([2.3] * 300, 30), ([2.3] * 30, 3), ([2.3] * 30, 0)])
def test_more_updates_than_evaluations_are_accumulated_batches(losses, epochs):
    """Micro-batches, attacks on the inputs; and with few evaluations nothing is known."""
    assert scripted(losses, epochs=epochs, backwards_an_update={"backwards": 8, "discarded": 7}) == ()
