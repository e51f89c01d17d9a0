"""Consoles of adversaries and of reinforcement learning: they are read, and rules say why they judge no loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.reading import read, signals
from trainhealth.rules.engine import diagnose


def test_adversaries_keep_their_losses_and_rules_say_why_they_judge_none(tmp_path: Path) -> None:
    """The console of PyTorch's DCGAN example: each loss rises when the other side learns."""
    log = "".join(
        f"[{epoch}/2][{batch}/100]\tLoss_D: 0.{batch + 1}\tLoss_G: 4.5\tD(x): 0.53\tD(G(z)): 0.57 / 0.01\n"
        for epoch in (0, 1)
        for batch in (0, 50)
    )
    view = read(tmp_path, log)
    assert view.series("Loss_D").steps.tolist() == [0, 50, 100, 150]
    assert signals(view) == {}
    reasons = {item.because for item in diagnose(view).not_checked}
    assert any("read as train_loss: two adversaries are trained" in reason for reason in reasons)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (("d_loss", "g_loss"), "two adversaries are trained"),
        (("actor_loss", "critic_loss"), "an actor and its critic are trained"),
        (("ep_rew_mean", "loss"), "the log holds rewards"),
    ],
)
def test_the_reason_stands_in_place_of_a_loss(columns: tuple[str, str], reason: str, tmp_path: Path) -> None:
    """A log that has losses is not told that it has none."""
    log = f"step,{','.join(columns)}\n" + "".join(f"{step},1.{step},2.{step}\n" for step in range(9))
    reasons = {item.because for item in diagnose(read(tmp_path, log, "log.csv")).not_checked}
    assert any(f"nothing in the log is read as train_loss: {reason}" in because for because in reasons)
    assert "the log has no train_loss" not in reasons


BOX = """\
Logging to ppo
---------------------------------
| rollout/           |          |
|    ep_rew_mean     | {0}      |
| time/              |          |
|    total_timesteps | {1}      |
| train/             |          |
|    learning_rate   | 0.0003   |
|    loss            | {2}      |
---------------------------------
"""


def test_the_boxes_of_reinforcement_learning_are_rows_and_rules_say_why_they_judge_none(tmp_path: Path) -> None:
    """Stable-Baselines' console holds what its progress.csv does, under the same names."""
    log = "Using cpu device\n" + BOX.format(22.5, 2048, 5.9) + BOX.format("1e+02", 4096, "nan")
    view = read(tmp_path, log)
    assert view.series("rollout/ep_rew_mean").values.tolist() == [22.5, 100.0]
    assert view.series("time/total_timesteps").values.tolist() == [2048, 4096]
    assert view.series("train/loss").values[0] == 5.9
    assert signals(view) == {"learning_rate": {0: 0.0003, 1: 0.0003}}
    reasons = {item.because for item in diagnose(view).not_checked}
    assert any("read as train_loss: the log holds rewards" in reason for reason in reasons)


@pytest.mark.parametrize(
    "box",
    [
        "-----------\n| lr   | 0.1  |\n| seed | 7    |\n-----------\n",
        "-----------\n| ep_rew_mean | 1.0 |\nEpoch 1: loss 0.75\n-----------\n",
        "-----------\n| ep_rew_mean | yes |\n-----------\n",
    ],
    ids=["settings", "a box that something interrupts", "no numbers"],
)
def test_other_boxes_are_no_rows(box: str, tmp_path: Path) -> None:
    """What a program prints of its settings, and what is torn, says nothing of the training."""
    view = read(tmp_path, f"Epoch 1: loss 0.75\n{box}Epoch 2: loss 0.5\n")
    assert {name for name in view.scalars if name != "epoch"} == {"train_loss"}
    assert [*signals(view)["train_loss"].values()] == [0.75, 0.5]


def test_a_table_of_two_columns_between_rules_is_no_box(tmp_path: Path) -> None:
    """Its first line names both columns."""
    log = "-----------\n| Epoch | Loss |\n-----------\n| 1 | 0.5 |\n| 2 | 0.4 |\n-----------\n"
    assert signals(read(tmp_path, log)) == {"train_loss": {1: 0.5, 2: 0.4}}
