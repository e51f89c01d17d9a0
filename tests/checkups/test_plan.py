"""The plan and the study are written with this model's values, and the study runs."""

from __future__ import annotations

import ast
from typing import Any

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth.checkups.base import Outcome
from trainhealth.checkups.batches import Batches
from trainhealth.checkups.plan import Plan
from trainhealth.checkups.subject import Subject


def subject(advice: dict[str, Any], optimizer: str = "SGD") -> Subject:
    model = nn.Linear(3, 2)
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=0.02)
    batch = (torch.zeros(16, 3), torch.zeros(16, dtype=torch.int64))
    made_subject = Subject(model, made, Batches([batch]), nn.CrossEntropyLoss())
    made_subject.outcomes["rate-range"] = Outcome(advice=advice)
    return made_subject


def test_plan_has_the_measured_rate_and_the_range_around_it():
    """Half a decade each way on the grid; the range ends a decade below, and where the rate breaks."""
    plan = Plan().run(subject({"learning_rate": 0.01, "learning_rate_breaks": 0.05})).documents["plan.md"]
    assert "rate is 0.01 (the checkup's search)" in plan
    assert "Learning rates 0.0032, 0.01, 0.032;" in plan
    assert "(0.001 or 0.05 are the widest" in plan
    assert "batches of 16" in plan
    assert [f"## Step {step}:" in plan for step in (4, 5, 6, 7)] == [True] * 4


def test_grid_has_no_rate_that_breaks():
    """A rate above the one that breaks is not on the coarse grid."""
    plan = Plan().run(subject({"learning_rate": 0.01, "learning_rate_breaks": 0.025})).documents["plan.md"]
    assert "Learning rates 0.0032, 0.01;" in plan


def test_plan_without_a_search_begins_with_the_optimizers_rate_and_says_so():
    """What was not measured is not called measured."""
    plan = Plan().run(subject({})).documents["plan.md"]
    assert "rate is 0.02 (the optimizer as it is; the search was not run)" in plan


@pytest.mark.parametrize(("optimizer", "momentum"), [("SGD", True), ("Adam", False)])
def test_study_is_a_program_that_searches_in_the_plans_range(optimizer: str, momentum: bool):
    """The study is valid Python, draws the rate log-uniformly in the range, and momentum where there is one."""
    advice = {"learning_rate": 0.01, "learning_rate_breaks": 0.05}
    study = Plan().run(subject(advice, optimizer)).documents["study.py"]
    ast.parse(study)
    assert "low=0.001, high=0.05" in study
    assert ('suggest_categorical("momentum"' in study) == momentum


def test_study_runs_with_a_training_filled_in():
    """With `train` written, both stages run and the best rate is found."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    advice = {"learning_rate": 0.01, "learning_rate_breaks": 0.05}
    study = Plan().run(subject(advice, "Adam")).documents["study.py"]
    names: dict[str, Any] = {"__name__": "study"}
    exec(study, names)  # the document is a program
    names["train"] = lambda rate, decay, epochs, trial: abs(rate - 0.02)
    search = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    search.optimize(names["objective"], n_trials=15)
    assert 0.005 < search.best_params["learning_rate"] < 0.05


def test_checkup_hands_the_documents_out():
    """The report of a checkup has the plan and the study."""
    model = nn.Linear(3, 2)
    batch = (torch.zeros(16, 3), torch.zeros(16, dtype=torch.int64))
    report = trainhealth.checkup(model, nn.CrossEntropyLoss(), batch, only=["plan"], progress=False)
    assert set(report.documents) == {"plan.md", "study.py"}
    assert "AdamW, batches of 16" in report.documents["plan.md"]
