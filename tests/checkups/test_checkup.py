"""The checkup as a whole: its arguments, the choice of checks, its report, and its page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import trainhealth
from tests.checkups.looking import codes, look, mlp, table
from trainhealth.checkups import all_checks
from trainhealth.checkups.faults import all_faults
from trainhealth.errors import UsageError
from trainhealth.plugins import load
from trainhealth.rules.base import SECTIONS
from trainhealth.rules.engine import all_rules

PAGE = Path(__file__).parents[2] / "docs" / "checkup.md"


class ReturnsLoss(nn.Module):
    """A model that computes its loss itself, as those of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 3)

    def forward(self, inputs: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        logits = self.layer(inputs)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


def test_a_mapping_is_split_by_name_or_given_to_the_model() -> None:
    """With a loss function the labels are the target, without one they are an argument of the model."""
    batches = [{"input": inputs, "labels": target} for inputs, target in table()]
    assert codes(look(mlp(), batches, "initial-loss", "dependence")) == []
    batches = [{"inputs": inputs, "labels": target} for inputs, target in table()]
    report = look(ReturnsLoss(), batches, "initial-loss", "dependence", loss_fn=None)
    assert codes(report) == []
    assert report.advice["initial_loss"] > 0


def test_a_list_of_inputs_alone_is_a_list_of_batches() -> None:
    """Three and more tensors of one shape are no (inputs, target)."""
    real = [inputs for inputs, _ in table()]

    def forward(model: nn.Module, batch: Tensor) -> Tensor:
        assert batch.shape == (16, 12)
        return F.softplus(-model(batch)).mean()

    assert codes(look(mlp(), real, "initial-loss", loss_fn=None, forward=forward)) == []


def test_double_precision_and_lazy_modules_are_looked_at() -> None:
    """Weights that get their shape at the first forward, in 64 bits; afterwards they are as lazy as before."""
    model = nn.Sequential(nn.LazyLinear(24), nn.ReLU(), nn.LazyLinear(3)).double()
    batches = [(inputs.double(), target) for inputs, target in table()]
    report = look(model, batches, "initial-loss", "overfit", "modes")
    assert codes(report) == []
    assert not [item for item in report.not_checked if "failed" in item.because]
    assert all(nn.parameter.is_lazy(parameter) for parameter in model.parameters())


def test_a_loader_with_workers_goes_on_as_if_nobody_had_looked() -> None:
    """Its workers are its own: the iteration that is under way yields the rest of its batches."""
    inputs, target = torch.cat([one for one, _ in table()]), torch.cat([one for _, one in table()])

    def epoch(look_between: bool) -> list[Tensor]:
        loader = DataLoader(
            TensorDataset(inputs, target),
            16,
            shuffle=True,
            num_workers=1,
            persistent_workers=True,
            generator=torch.Generator().manual_seed(3),
        )
        iterator = iter(loader)
        found = [next(iterator)[0]]
        if look_between:
            assert codes(look(mlp(), loader, "initial-loss")) == []
        return [*found, *(batch[0] for batch in iterator), *(batch[0] for batch in loader)]

    assert all(torch.equal(*pair) for pair in zip(epoch(False), epoch(True), strict=True))


def test_one_batch_is_enough() -> None:
    """A tuple, or a list as collate functions return it."""
    assert codes(look(mlp(), table()[0], "initial-loss")) == []
    assert codes(look(mlp(), list(table()[0]), "initial-loss")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "net"}, "not a torch.nn.Module"),
        ({"model": {"generator": nn.Linear(1, 1)}}, "one model"),
        ({"model": nn.Flatten()}, "has no parameters"),
        ({"total_steps": 0}, "total_steps is 0"),
        ({"batch_or_loader": None}, "no data"),
        ({"batch_or_loader": iter(table())}, "used up"),
        ({"batch_or_loader": (batch for batch in table())}, "generator would be used up"),
        ({"batch_or_loader": []}, "no batch"),
        ({"loss_fn": 3}, "can't be called"),
        ({"forward": lambda model, batch: model(batch[0]).sum()}, "both loss_fn and forward"),
        ({"only": ["initial-los"]}, "no check 'initial-los'"),
        ({"only": ["data"], "skip": ["data"]}, "no check is left"),
        ({"batch_or_loader": (torch.ones(4, 5), torch.zeros(4, dtype=torch.long))}, r"float32\[4, 5\]"),
        ({"loss_fn": nn.CrossEntropyLoss(reduction="none")}, "not one number"),
    ],
)
def test_what_is_off_is_said_at_once(arguments: dict[str, Any], message: str) -> None:
    """The message names the value, and how the batch was read."""
    usual = {"model": mlp(), "loss_fn": F.cross_entropy, "batch_or_loader": table(), "only": ["initial-loss"]}
    with pytest.raises(UsageError, match=message):
        trainhealth.checkup(**{**usual, **arguments}, seconds=0.0, progress=False)


def test_a_loss_that_reads_the_users_own_model_is_refused() -> None:
    """Its gradient would reach the original, and the copy that is looked at would never change."""
    model = mlp()

    def forward(copied: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    with pytest.raises(UsageError, match="not with the copy"):
        look(model, table(), "initial-loss", loss_fn=None, forward=forward)


def test_the_report_goes_through_every_format() -> None:
    """Findings, pictures and advice are in all formats for people, and the JSON is the report's own."""
    report = look(mlp(), table(), "initial-loss", "data", "initialization")
    written = {}
    for part in load("trainhealth.reports"):
        out = io.StringIO()
        part().write([report], out)
        written[part.name] = out.getvalue()
    for name in ("text", "markdown", "html"):
        assert "labels of" in written[name]
        assert "loss of guessing" in written[name]
    assert written["json"] == report.to_json()
    entry = json.loads(written["json"])["runs"][0]
    assert {"looked_at", "figures", "advice", "documents"} <= entry.keys()
    assert entry["looked_at"] == ["initial loss", "data", "initial activations and gradients"]


def test_checks_have_names_places_and_known_codes() -> None:
    """A check's rules exist, its faults are documented, and no two checks answer for one code."""
    rules = {rule.code for rule in all_rules()}
    asked = [code for check in all_checks() for code in check.rules]
    assert set(asked) <= rules
    assert len(set(asked)) == len(asked)
    owned = [fault for check in all_checks() for fault in check.faults]
    assert sorted(fault.code for fault in owned) == sorted(fault.code for fault in all_faults())
    names = [check.name for check in all_checks()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("fault", all_faults(), ids=lambda fault: fault.code)
def test_faults_are_documented_like_rules(fault: Any) -> None:
    """The same sections, in the same order, and at least one source."""
    lines = [line.strip() for line in (fault.__doc__ or "").splitlines()]
    assert [line for line in lines if line in SECTIONS] == list(SECTIONS)
    assert re.fullmatch(r"CU\d\d", fault.code)
    assert fault.references


def test_the_page_names_every_check_and_fault() -> None:
    """Ranges of codes are written out with a dash."""
    text = PAGE.read_text()
    for check in all_checks():
        assert f"| `{check.name}` |" in text
    listed = set(re.findall(r"CU\d\d", text))
    for first, last in re.findall(r"CU(\d\d)–CU(\d\d)", text):
        listed |= {f"CU{number:02}" for number in range(int(first), int(last) + 1)}
    assert listed == {fault.code for fault in all_faults()}
