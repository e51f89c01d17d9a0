"""MO14: fires where dropout is the last thing before the loss."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth
from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.mode.dropout_on_outputs import DropoutOnOutputs
from trainhealth.testing import check_rule, make_run

SHAPE = {"output_shape": [32, 10]}  # 320 outputs: at p = 0.5 a standard error is 0.028


def judge(*nodes, **facts):
    return check_rule(DropoutOnOutputs, run_with("cross_entropy", *nodes, **{**SHAPE, "dropout": 0.5, **facts}))


@pytest.mark.parametrize("zeros", [0.40, 0.50, 0.60])
def test_fires_where_the_outputs_have_as_many_zeros_as_dropout_makes(zeros):
    """A product whose share of zeros is p, as far as 320 outputs can tell."""
    (found,) = judge("Mul", "Addmm", output_zeros=zeros)
    assert (found.severity, found.confidence) == (Severity.WARNING, Confidence.LIKELY)
    assert "a dropout of 0.5 in the model" in found.message


@pytest.mark.parametrize("zeros", [0.0, 0.38, 0.62])
def test_silent_on_products_with_other_shares_of_zeros(zeros):
    """A temperature has none; a mask of the script's has its own."""
    assert judge("Mul", "Addmm", output_zeros=zeros) == ()


@pytest.mark.parametrize(("zeros", "fires"), [(6 / 32, True), (3 / 32, True), (2 / 32, False), (0.0, False)])
def test_a_few_exact_zeros_tell_where_outputs_are_few(zeros, fires):
    """A regression with batches of 32: chance allows any share, but no linear layer gives a zero."""
    few = judge("Mul", "Addmm", dropout=0.25, output_shape=[32, 1], output_zeros=zeros)
    assert bool(few) is fires


def test_an_accelerator_names_the_dropout():
    """There it is an operation of its own: certain."""
    (found,) = judge("View", "NativeDropout", "Addmm", output_zeros=0.48)
    assert found.confidence is Confidence.CERTAIN


def test_silent_without_dropout_with_few_outputs_and_after_a_layer():
    """Nothing to be said of 8 outputs, of a model without dropout, and of one that ends in a linear layer."""
    assert judge("Mul", "Addmm", dropout=0.0, output_zeros=0.5) == ()
    assert judge("Mul", "Addmm", output_shape=[8, 1], output_zeros=0.5) == ()
    assert judge("Addmm", "Mul", output_zeros=0.0) == ()
    assert isinstance(check_rule(DropoutOnOutputs, make_run([2.0] * 60)), NotChecked)


@pytest.mark.parametrize("last", [True, False])
def test_dropout_behind_the_last_layer_and_before_it(tmp_path, last):
    """In a real training, the fault is named, and its repair is silent."""
    torch.manual_seed(0)
    layers = [nn.Linear(6, 10), nn.Dropout(0.3)] if last else [nn.Dropout(0.3), nn.Linear(6, 10)]
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for _ in range(5):
            scores, targets = model(torch.randn(40, 6)), torch.randint(10, (40,))
            loss = F.cross_entropy(scores, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, outputs=scores, targets=targets)
    assert ("MO14" in [finding.code for finding in trainhealth.check(tmp_path / "run").findings]) is last
