"""LS09: fires where a loss is NaN and its gradient is not, and not where NaN has spread, or nothing was counted."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth.findings import NotChecked, Severity
from trainhealth.records import LayerEntry, ParameterEntry
from trainhealth.rules.loss.undefined_loss import UndefinedLoss
from trainhealth.testing import check_rule, make_run

NAN = math.nan
GRAPH = ["MeanBackward0", "AddBackward0", "LogBackward0"]
LOSSES = [0.5] * 10 + [NAN] + [0.4] * 10


def judge(losses=LOSSES, norm=2.0, *, gradient=0.0, activation=0.0, graph=GRAPH, skipped=()):
    """Judge a run of these losses, with one norm and one count of non-finite elements at all steps."""
    run = make_run(
        losses,
        gradient_norm=[norm] * len(losses),
        skipped_steps=skipped,
        layers=[LayerEntry(name="0", type="Linear")],
        parameters=[ParameterEntry(name="0.weight", shape=[4, 4], layer="0")],
        samples={step: {"gradient_nonfinite": [gradient], "activation_nonfinite": [activation]} for step in range(21)},
        facts={"loss_graph": graph},
    )
    return check_rule(UndefinedLoss, run)


def test_fires_where_only_the_loss_is_nan():
    """How often, where first, and what it must be."""
    (found,) = judge()
    assert found.severity is Severity.WARNING
    assert "NaN at 1 of 21 values (first at step 10), while the gradient of step 10 is finite" in found.message
    assert found.first_step == 10
    assert "softplus" in found.recommendations[0].action


@pytest.mark.parametrize(
    "run",
    [
        {"losses": [0.5] * 21},
        {"losses": [math.inf if loss != loss else loss for loss in LOSSES]},
        {"norm": NAN},
        {"norm": 0.0},
        {"gradient": 3.0},
        {"activation": 3.0},
        {"graph": ["MeanBackward0", "SqrtBackward0"]},
        {"skipped": (10,)},
    ],
    ids=[
        *("no NaN", "infinite", "the gradient is NaN", "a mean over nothing", "a part of the gradient"),
        *("a layer's output", "no logarithm", "a loss scaler skipped it"),
    ],
)
def test_silent_where_nan_has_another_reason(run):
    """It spreads to the gradient, began before the loss, or counted nothing."""
    assert judge(**run) == ()


def test_not_checked_where_it_is_not_known_what_the_loss_is_made_of():
    """A number has no graph."""
    assert isinstance(judge(graph=None), NotChecked)


@pytest.mark.parametrize(("positive", "fires"), [(lambda x: x, True), (nn.functional.softplus, False)])
def test_a_variance_that_is_trained(tmp_path, positive, fires):
    """A unit as it is becomes negative; behind a softplus it does not."""
    torch.manual_seed(0)
    net = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with trainhealth.watch(net, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(6):
            inputs = torch.randn(16, 2)
            mean, raw = net(inputs).unbind(1)
            variance = positive(raw)
            loss = (torch.log(variance) + (inputs[:, 0] - mean) ** 2 / variance).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    report = trainhealth.check(tmp_path / "run", options={})
    assert [finding.code for finding in report.findings if not finding.caused_by][:1] == (["LS09"] if fires else [])
