"""AC05: fires where all hidden layers use the sigmoid."""

import numpy as np

from trainhealth.findings import Severity
from trainhealth.records import LayerEntry
from trainhealth.rules.activations.sigmoid_hidden_layers import SigmoidHiddenLayers
from trainhealth.testing import check_rule, make_run

FALLING = (2.2 * np.exp(-np.arange(300) / 40) + 0.05).tolist()
STUCK = [2.3] * 300


def judge(*functions, losses=FALLING, last=None, direct=True):
    """Judge a net of linear layers with these functions between them; not `direct`: something else feeds the last."""
    layers = []
    before = None
    for i, function in enumerate(functions):
        layers.append(LayerEntry(name=f"{i}", type="Linear", fed_by=before, units=32))
        layers.append(LayerEntry(name=f"{i}/{function}", type=function, activation=function, fed_by=f"{i}", units=32))
        before = f"{i}/{function}"
    layers.append(LayerEntry(name="out", type="Linear", fed_by=before if direct else None, units=10))
    if last:
        layers.append(LayerEntry(name=f"out/{last}", type=last, activation=last, fed_by="out", units=10))
    return check_rule(
        SigmoidHiddenLayers,
        make_run(losses, layers=layers, samples={0: {"activation_std": [1.0] * len(layers)}}),
    )


def test_a_hint_while_it_learns():
    """One hidden sigmoid or several."""
    for functions in (("sigmoid",), ("sigmoid", "hardsigmoid")):
        (found,) = judge(*functions)
        assert found.severity is Severity.NOTE


def test_a_warning_where_several_do_not_learn():
    """One alone takes a factor of four, which is no reason for a loss that stands."""
    assert judge("sigmoid", "sigmoid", losses=STUCK)[0].severity is Severity.WARNING
    assert judge("sigmoid", losses=STUCK)[0].severity is Severity.NOTE


def test_a_warning_where_many_keep_the_loss_waiting():
    """Four take a factor of 256: a third of the run went by before the loss moved. Two don't, nor four that learn."""
    late = [2.3] * 100 + FALLING[:200]
    (found,) = judge(*["sigmoid"] * 4, losses=late)
    assert found.severity is Severity.WARNING
    assert "train_loss stood at its start until step" in found.message
    assert judge(*["sigmoid"] * 2, losses=late)[0].severity is Severity.NOTE
    assert judge(*["sigmoid"] * 4)[0].severity is Severity.NOTE


def test_a_softmax_between_layers_counts_as_many_sigmoids():
    """Its outputs are near 1 / n, and its slopes too."""
    late = [2.3] * 100 + FALLING[:200]
    (found,) = judge("softmax", losses=late)
    assert found.severity is Severity.WARNING
    assert found.message.startswith("All hidden layers (1) use the softmax, and train_loss stood at its start")
    assert judge("softmax")[0].severity is Severity.NOTE


def test_a_loss_that_has_hardly_moved_counts_though_it_begins_to_fall():
    """It stays above 0.95 of its start, and is about to leave it."""
    (found,) = judge("softmax", losses=np.linspace(2.3, 2.2, 300).tolist())
    assert "train_loss" in found.message
    assert found.severity is Severity.WARNING


def test_silent_where_a_softmax_weighs_others():
    """Attention: no layer takes it as it is."""
    assert judge("softmax", losses=STUCK, direct=False) == ()
    assert judge("relu", "softmax", losses=STUCK) == ()


def test_silent_beside_other_functions_and_on_the_output():
    """Gates stand beside tanh or ReLU; a sigmoid on the output is right."""
    assert judge("sigmoid", "tanh") == ()
    assert judge("relu", last="sigmoid") == ()


def test_silent_on_a_gate():
    """Its partner has as many units, and no function of its own."""
    layers = [
        LayerEntry(name="value", type="Linear", units=32),
        LayerEntry(name="gate", type="Linear", units=32),
        LayerEntry(name="gate/sigmoid", type="sigmoid", activation="sigmoid", fed_by="gate", units=32),
        LayerEntry(name="out", type="Linear", units=10),
    ]
    run = make_run(FALLING, layers=layers, samples={0: {"activation_std": [1.0] * 4}})
    assert check_rule(SigmoidHiddenLayers, run) == ()
