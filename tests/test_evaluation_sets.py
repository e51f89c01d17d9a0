"""Logs with several evaluation sets: the only one is the validation, and of several none is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.readers.reading import read, said, signals


def trainer_state(*sets: str, **more: float) -> str:
    """Return what the Trainer writes whose `eval_dataset` is a dictionary of these sets."""
    rows: list[dict[str, float]] = []
    for step in (10, 20, 30):
        rows.append({"step": step, "loss": 20 / step})
        rows += [
            {
                "step": step,
                f"eval_{name}_loss": 21 / step,
                f"eval_{name}_accuracy": 0.5,
                f"eval_{name}_runtime": 1.5,
                **more,
            }
            for name in sets
        ]
    return json.dumps({"log_history": rows})


def test_of_several_sets_none_is_taken_and_the_user_is_told_how_to_choose(tmp_path: Path) -> None:
    """Their losses may go apart for good reasons: a finding would be a guess."""
    view = read(tmp_path, trainer_state("in_domain", "far"), "trainer_state.json")
    assert signals(view).keys() == {"train_loss"}
    assert "eval_far_loss: the evaluation set 'far', one of 2 (in_domain, far)" in said(view)
    assert "which is the validation is not known; --map validation_loss=eval_in_domain_loss would choose" in said(view)
    chosen = read(
        tmp_path, trainer_state("in_domain", "far"), "trainer_state.json", {"validation_loss": "eval_far_loss"}
    )
    assert signals(chosen)["validation_loss"] == {step: 21 / step for step in (10, 20, 30)}


def test_the_only_set_is_the_validation(tmp_path: Path) -> None:
    """Whatever its name is."""
    view = read(tmp_path, trainer_state("squad"), "trainer_state.json")
    assert signals(view)["validation_loss"] == {step: 21 / step for step in (10, 20, 30)}
    assert signals(view)["validation_accuracy"] == {10: 0.5, 20: 0.5, 30: 0.5}
    assert "eval_squad_loss is read as validation_loss: of the only evaluation set, 'squad'" in said(view)


def test_a_plain_loss_of_validation_is_taken_before_any_set(tmp_path: Path) -> None:
    """It is the one that the log itself calls so."""
    view = read(tmp_path, trainer_state("squad", eval_loss=1.0), "trainer_state.json")
    assert signals(view)["validation_loss"] == {10: 1.0, 20: 1.0, 30: 1.0}


def test_a_part_of_a_loss_is_no_set(tmp_path: Path) -> None:
    """Only the Trainer's time of a set says that there is one."""
    log = json.dumps({"log_history": [{"step": step, "loss": 2.0, "eval_kl_loss": 0.1} for step in range(3)]})
    assert signals(read(tmp_path, log, "trainer_state.json")).keys() == {"train_loss"}


@pytest.mark.parametrize(("loaders", "taken"), [((0, 1), set()), ((0,), {"validation_loss"})])
def test_lightnings_loaders_are_sets(tmp_path: Path, loaders: tuple[int, ...], taken: set[str]) -> None:
    """They are numbered behind the name that the user gave."""
    header = ",".join(f"val_loss/dataloader_idx_{number}" for number in loaders)
    rows = "".join(f"0,{step},{2 / step},{','.join('1.5' for _ in loaders)}\n" for step in range(1, 4))
    view = read(tmp_path, f"epoch,step,train_loss,{header}\n{rows}", "metrics.csv")
    assert view.format == "lightning"
    assert signals(view).keys() == {"train_loss"} | taken
    assert ("one of 2 (0, 1)" in said(view)) is (len(loaders) > 1)
