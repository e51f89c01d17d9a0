"""The first steps: rules that judge the optimizer as it is set."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.checkups.looking import codes, look, mlp, table


def optimizer(model: nn.Module, name: str, rate: float) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = getattr(torch.optim, name)(model.parameters(), lr=rate)
    return made


@pytest.mark.parametrize(("name", "rate"), [("SGD", 0.1), ("Adam", 3e-3), ("AdamW", 1e-3)])
def test_a_rate_that_trains_is_silent(name: str, rate: float) -> None:
    """80 steps of a healthy start."""
    model = mlp()
    assert codes(look(model, table(), "first-steps", optimizer=optimizer(model, name, rate), quick=False)) == []


def test_a_rate_at_which_the_loss_explodes_is_named() -> None:
    """By the rule of the log, with the update and the rise that show it."""
    model = mlp()
    report = look(model, table(), "first-steps", optimizer=optimizer(model, "Adam", 3.0), quick=False)
    assert "OP01" in codes(report)


def test_the_search_for_a_rate_leads_what_the_rules_say() -> None:
    """One illness: the short trainings name the rate that helps, and the rules' findings are folded under it."""
    model = mlp()
    report = look(model, table(), "first-steps", "rate-range", optimizer=optimizer(model, "Adam", 3.0), quick=False)
    found = {finding.code: finding for finding in report.findings}
    assert report.findings[0].code == "CU15"
    assert found["OP01"].caused_by == (found["CU15"].id,)
