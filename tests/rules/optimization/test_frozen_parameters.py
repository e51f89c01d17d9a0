"""OP09: fires where parameters that should learn get no update, and not where layers are frozen on purpose."""

import math

import pytest

from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.records import LayerEntry, OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules.optimization.frozen_parameters import FrozenParameters
from trainhealth.testing import check_rule, make_run

FALLING = [2.3 * 0.98**step for step in range(200)]
FLAT = [2.3] * 200
NONE = math.nan  # no gradient
ADAM = OptimizerInfo(name="", type="Adam")


def layer(name, gradient=1.0, optimized=True, trainable=True, executed=True, size=16):
    """A linear layer with one weight."""
    entry = ParameterEntry(
        name=f"{name}.weight", shape=[size, 16], layer=name, trainable=trainable, optimized=optimized
    )
    return entry, gradient, executed


def judge(*layers, losses=FALLING, optimizers=(ADAM,), samples=5, facts=None, moves=None):
    parameters = [entry for entry, _, _ in layers]
    column = {"parameter_gradient_norm": [gradient for _, gradient, _ in layers]}
    column |= {} if moves is None else {"update_ratio": list(moves)}
    run = make_run(
        losses,
        parameters=parameters,
        layers=[LayerEntry(name=entry.layer, type="Linear") for entry, _, executed in layers if executed],
        samples={10 * i: column for i in range(samples)},
        info=RunInfo(optimizers=list(optimizers)),
        facts=facts or {},
    )
    return check_rule(FrozenParameters, run)


def fired(*layers, **run):
    (found,) = judge(*layers, **run)
    return found


# --- in no optimizer ---


def test_a_head_that_was_replaced_after_the_optimizer_was_made():
    """It has a gradient, and nobody uses it: certain."""
    found = fired(layer("0"), layer("2"), layer("head", optimized=False))
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.CERTAIN)
    assert found.message == "head.weight has gradients, but is in no optimizer."
    assert found.recommendations[0].recipe == "check-parameter-groups"
    assert found.place == "head.weight"


def test_layers_in_a_plain_list():
    """They are named as Python names them, and the advice is to register them."""
    found = fired(layer("out"), layer("layers[0]", optimized=False), layer("layers[1]", optimized=False))
    assert found.message.endswith("have gradients, but are in no optimizer, nor registered in the model.")
    assert "nn.ModuleList" in found.recommendations[0].action


def test_a_layer_between_others_was_forgotten():
    """Two of them are named both."""
    found = fired(layer("0"), layer("1", optimized=False), layer("2", optimized=False), layer("3"))
    assert found.message == "1.weight and 2.weight have gradients, but are in no optimizer."


def test_a_backbone_outside_of_the_optimizer_may_be_meant():
    """Only the head is trained: a note, which says how to save the time."""
    found = fired(*[layer(str(i), optimized=False) for i in range(5)], layer("head"))
    assert found.severity is Severity.NOTE
    assert found.message == (
        "5 parameters (0.weight to 4.weight) have gradients, but are in no optimizer, the first of the model."
    )


def test_parameters_outside_of_the_optimizer_without_gradient_are_at_rest():
    """A teacher, or an averaged copy."""
    assert judge(layer("0"), layer("teacher", NONE, optimized=False)) == ()


# --- cut off ---


def test_a_detach_between_the_layers():
    """The first two layers run and get no gradient."""
    found = fired(layer("0", NONE), layer("1", NONE), layer("2"), layer("3"))
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert found.message == "No gradient reaches 0.weight and 1.weight: backward ends at 2."


def test_what_moves_is_not_cut_off():
    """Its gradient was read elsewhere, or not at all: an optimizer that changes it has one."""
    layers = layer("0", NONE), layer("1", NONE), layer("2"), layer("3")
    assert judge(*layers, moves=(1e-3, 2e-3, 1e-3, 1e-3)) == ()
    assert judge(*layers, moves=(0.0, NONE, 1e-3, 1e-3))


def test_unused_heads_are_silent():
    """One is never run, another one runs outside of the loss."""
    assert judge(layer("0"), layer("unused", NONE, executed=False), layer("aux", NONE), layer("head")) == ()
    assert judge(layer("unused", NONE, executed=False), layer("0"), layer("head")) == ()


def test_no_gradient_anywhere_is_another_illness():
    """Then there is no place at which backward ends."""
    assert judge(layer("0", NONE), layer("1", NONE)) == ()


def test_a_gradient_in_one_of_the_last_three_samples_is_enough():
    """Branches that are taken now and then; and it waits for three samples."""
    assert judge(layer("0", NONE), layer("1"), samples=3)
    assert judge(layer("0", NONE), layer("1"), samples=2) == ()


# --- frozen ---


def test_frozen_layers_at_a_poor_loss_are_a_hint():
    """Four fifths of the weights can't move, and the loss stands."""
    found = fired(layer("0", NONE, trainable=False, optimized=False, size=64), layer("head"), losses=FLAT)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.HINT)
    assert found.message.startswith("80 % of the weights are frozen (0.weight); train_loss began at 2.3")


def test_frozen_layers_are_silent_where_the_rest_learns_or_is_the_larger_part():
    """Fine-tuning with frozen layers is healthy."""
    frozen = layer("0", NONE, trainable=False, optimized=False, size=64)
    assert judge(frozen, layer("head")) == ()
    assert judge(layer("0", NONE, trainable=False, optimized=False), layer("head", size=17), losses=FLAT) == ()


@pytest.mark.parametrize("bad", [[], [math.nan] * 200])
def test_says_nothing_of_a_loss_that_is_not_there(bad):
    """Frozen layers alone are no illness."""
    assert judge(layer("0", NONE, trainable=False, size=64), layer("head"), losses=bad) == ()


def test_a_log_without_optimizer_is_not_checked():
    """Watching without an optimizer sees no parameter groups."""
    assert isinstance(judge(layer("0"), optimizers=()), NotChecked)


def test_the_first_layers_that_were_released_are_no_intention():
    """They had no gradient at first, and have one now: somebody wants them to learn, and no optimizer holds them."""
    parameters = [layer("body", optimized=False)[0], layer("head")[0]]
    samples = {10 * i: {"parameter_gradient_norm": [NONE if i == 0 else 1.0, 1.0]} for i in range(5)}
    run = make_run(FALLING, parameters=parameters, samples=samples, info=RunInfo(optimizers=[ADAM]))
    (found,) = check_rule(FrozenParameters, run)
    assert found.severity is Severity.WARNING
    assert fired(layer("body", optimized=False), layer("head")).severity is Severity.NOTE


def test_layers_that_each_forward_makes_anew():
    """The log says so: there is nothing to doubt."""
    samples = {10 * i: {"parameter_gradient_norm": [1.0]} for i in range(5)}
    run = make_run(
        FLAT,
        parameters=[layer("body")[0]],
        samples=samples,
        facts={"made_anew": [[2, 8], [4, 2]]},
        info=RunInfo(optimizers=[ADAM]),
    )
    (found,) = check_rule(FrozenParameters, run)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert "makes 2 layers anew, with weights of 2 x 8" in found.message


def test_a_model_that_no_optimizer_holds_while_two_hold_another():
    """The generator's optimizer was made of the discriminator's parameters: trainhealth run has seen it."""
    run = make_run(
        FALLING,
        parameters=[layer("0")[0]],
        samples={10 * i: {"parameter_gradient_norm": [1.0]} for i in range(5)},
        info=RunInfo(optimizers=[ADAM, ADAM]),
        facts={"left_out": {"models": ["netG"], "optimizers": ["optG", "optD"]}},
    )
    (found,) = check_rule(FrozenParameters, run)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert found.message == "optG and optD hold the same parameters, and netG gets gradients, but no optimizer."


PLAYERS = (OptimizerInfo(name="enc", type="Adam"), OptimizerInfo(name="dec", type="Adam"))
IDLE = {"type": "Adam", "parameters": ["enc.e.weight", "enc.g.bias"], "count": 5}


def test_fires_on_an_optimizer_that_is_never_stepped():
    """By what the hooks saw; nothing is then said to be cut off."""
    layers = layer("enc", NONE), layer("dec")
    found = fired(*layers, optimizers=PLAYERS, facts={"never_stepped": IDLE})
    assert "The Adam of enc.e.weight to enc.g.bias has made no update so far" in found.message
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)


def test_of_several_optimizers_a_missing_gradient_may_be_one_that_is_not_used():
    """Gradients are read where their own optimizer uses them: before it is sure, both causes are named."""
    found = fired(layer("enc", NONE), layer("dec"), optimizers=PLAYERS, facts={"never_stepped": {}})
    assert "No gradient of enc.weight is used: backward ends at dec, or their optimizer" in found.message
    assert "No gradient reaches enc.weight: backward ends at dec." in fired(layer("enc", NONE), layer("dec")).message
