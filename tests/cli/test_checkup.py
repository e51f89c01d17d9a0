"""``trainhealth checkup``: finds a function, looks at what it returns, and ends with the exit codes of ``check``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from trainhealth.cli import main

SCRIPT = """
import torch
from torch import nn
import torch.nn.functional as F

torch.set_num_threads(1)
print("the script speaks")

def parts():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3){last})
    inputs = torch.randn(4, 16, 6)
    loader = [(one, one[:, :3].argmax(1)) for one in inputs]
    return model, F.cross_entropy, loader, torch.optim.SGD(model.parameters(), lr=0.1)

def by_name():
    model, loss_fn, loader, optimizer = parts()
    return {{"model": model, "loss_fn": loss_fn, "batch_or_loader": loader}}

def wrong():
    return {{"model": parts()[0], "loader": parts()[2]}}

def breaks():
    return 1 / 0

if __name__ == "__main__":
    raise SystemExit("the training itself")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script with a healthy model."""
    path = tmp_path / "train.py"
    path.write_text(SCRIPT.format(last=""))
    return path


@pytest.mark.parametrize("function", ["parts", "by_name"])
def test_a_healthy_script_ends_with_0(script: Path, function: str, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout is the JSON alone; what the script prints is on stderr, and its training is not run."""
    arguments = ["checkup", f"{script}:{function}", "--quick", "--only", "initial-loss,data", "--format", "json"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    entry = json.loads(out)["runs"][0]
    assert entry["path"] == f"{script}:{function}"
    assert entry["looked_at"] == ["initial loss", "data"]
    assert "the script speaks" in err


def test_a_finding_ends_with_1(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Unless --fail-on asks for worse."""
    script.write_text(SCRIPT.format(last=", nn.ReLU(), nn.Softmax(0)"))
    arguments = ["checkup", f"{script}:parts", "--quick", "--only", "dependence"]
    assert main(arguments) == 1
    assert "batch-leakage" in capsys.readouterr().out
    assert main([*arguments, "--fail-on", "never"]) == 0


def test_a_module_is_found_as_python_m_finds_it(
    script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name, from the current folder."""
    monkeypatch.chdir(script.parent)
    script.rename(script.with_name("training_of_mine.py"))
    assert main(["checkup", "training_of_mine:parts", "--quick", "--only", "initial-loss"]) == 0
    assert "training_of_mine:parts" in capsys.readouterr().out


def test_the_plan_is_written_where_it_is_wanted(script: Path, tmp_path: Path) -> None:
    """--save makes the folder."""
    target = tmp_path / "new" / "plan"
    assert main(["checkup", f"{script}:parts", "--quick", "--only", "plan", "--save", str(target)]) == 0
    assert {path.name for path in target.iterdir()} == {"plan.md", "study.py"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{script}", "names no function"),
        ("{script}:", "names no function"),
        ("{folder}/none.py:parts", "there is no file"),
        ("no_such_module_here:parts", "there is no module"),
        ("{script}:nothing", "has no function 'nothing'"),
        ("{script}:breaks", "raises ZeroDivisionError"),
        ("{script}:wrong", "'loader', which is no argument"),
    ],
)
def test_what_can_not_be_looked_at_is_said(
    script: Path, target: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong target is a wrong command line: 2, with the fact on stderr and nothing on stdout."""
    assert main(["checkup", target.format(script=script, folder=script.parent)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


@pytest.mark.parametrize("place", ["a file", "below a file", "a folder for reading only"])
def test_a_plan_that_can_not_be_written_is_said_before_the_minute(
    script: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """2, with the folder and the reason on stderr; the script has not even been imported."""
    target = tmp_path / "plan"
    if place == "a folder for reading only":
        target.mkdir()
        target.chmod(0o500)
        if os.access(target, os.W_OK):
            pytest.skip("this user may write everywhere")
    else:
        target.write_text("")
        target = target / "below" if place == "below a file" else target
    assert main(["checkup", f"{script}:parts", "--quick", "--only", "plan", "--save", str(target)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert str(target) in err
    assert "the script speaks" not in err
