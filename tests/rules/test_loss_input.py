"""What enters the loss: read from the loss's own graph, past operations on shapes."""

import pytest

from tests.rules.loss_facts import run_with
from trainhealth.rules.loss_input import loss_input
from trainhealth.testing import make_run


@pytest.mark.parametrize(
    ("nodes", "operation"),
    [
        (("Softmax", "Addmm"), "softmax"),
        (("View", "Squeeze", "Sigmoid"), "sigmoid"),
        (("LogSoftmax", "Softmax"), "softmax"),
        (("Addmm", "Relu"), "linear"),
        (("Mul", "Sigmoid"), ""),
        (("View",), ""),
    ],
)
def test_operation_is_the_first_that_changes_values(nodes, operation):
    """Shapes are passed over, so is the softmax of cross-entropy itself; what is unknown is no operation."""
    assert loss_input(run_with("cross_entropy", *nodes)) == ("cross_entropy", operation, True)


def test_outputs_stand_in_where_the_losss_graph_is_not_known():
    """They may be something else than what entered the loss: not certain."""
    run = make_run([1.0], facts={"loss_function": "mse", "output_graph": ["TanhBackward0"]})
    assert loss_input(run) == ("mse", "tanh", False)


@pytest.mark.parametrize("facts", [{"loss_form": "number"}, {"loss_function": "mse"}])
def test_says_why_it_is_not_known(facts):
    """A number as loss, and a loss without any graph."""
    assert "not known" in loss_input(make_run([1.0], facts=facts))
