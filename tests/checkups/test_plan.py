"""The plan and the study are written with this model's values, and the study runs."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest
import torch
from torch import nn

import trainhealth
from trainhealth.checkups.base import Outcome
from trainhealth.checkups.batches import Batches
from trainhealth.checkups.plan import Plan
from trainhealth.checkups.subject import Subject
from trainhealth.rules.base import number


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


@pytest.mark.parametrize(("optimizer", "momentum"), [("SGD", 0.95), ("SGD", 0.0), ("Adam", None)])
def test_study_is_a_program_that_searches_the_plans_grid(optimizer: str, momentum: float | None):
    """The study is valid Python, has the rates and weight decays of the plan, and momentum where there is one."""
    looked_at = subject({"learning_rate": 0.01, "learning_rate_breaks": 0.05}, optimizer)
    assert looked_at.optimizer is not None
    if momentum is not None:
        looked_at.optimizer.param_groups[0]["momentum"] = momentum
    documents = Plan().run(looked_at).documents
    study = documents["study.py"]
    ast.parse(study)
    assert "RATES, DECAYS = [0.0032, 0.01, 0.032], [0.0001, 1e-05, 0.0]" in study
    assert (
        f"Learning rates 0.0032, 0.01, 0.032; weight decays {number(1e-4)}, {number(1e-5)}, 0." in documents["plan.md"]
    )
    assert ('suggest_categorical("momentum"' in study) == bool(momentum)
    assert ("train(rate, decay, 0.95, COARSE_EPOCHS" in study) == bool(momentum)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_study_runs_with_a_training_filled_in(optimizer: str, capsys: pytest.CaptureFixture[str]):
    """With `train` written, the grid is tried in full, then the fine stage stays around its best point."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    advice = {"learning_rate": 0.01, "learning_rate_breaks": 0.05}
    study = Plan().run(subject(advice, optimizer)).documents["study.py"]
    names: dict[str, Any] = {"__name__": "study"}
    exec(study, names)  # the document is a program
    tried: dict[int, list[tuple[float, float]]] = {3: [], 15: []}

    def train(*arguments: Any) -> float:
        rate, decay, *_, epochs, _ = arguments
        tried[epochs].append((rate, decay))
        return abs(math.log(rate / 0.012)) + abs(decay - 1e-4)

    names["train"] = train
    names["main"]()
    assert sorted(set(tried[3])) == sorted((rate, decay) for rate in names["RATES"] for decay in names["DECAYS"])
    assert len(tried[15]) == names["FINE_TRIALS"]
    assert all(0.005 <= rate <= 0.02 and 3e-5 < decay <= 3e-4 for rate, decay in tried[15])
    assert "at an edge" not in capsys.readouterr().out


def test_checkup_hands_the_documents_out():
    """The report of a checkup has the plan and the study."""
    model = nn.Linear(3, 2)
    batch = (torch.zeros(16, 3), torch.zeros(16, dtype=torch.int64))
    report = trainhealth.checkup(model, nn.CrossEntropyLoss(), batch, only=["plan"], progress=False)
    assert set(report.documents) == {"plan.md", "study.py"}
    assert "AdamW, batches of 16" in report.documents["plan.md"]
