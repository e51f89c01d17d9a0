"""Updates by another optimizer than the one that is watched: the log goes on, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn

import trainhealth
from tests.hooks.test_plain_steps import stretches  # noqa: F401  # a fixture
from trainhealth.series import RunView


class Training:
    """A model whose optimizer changes while it is watched."""

    def __init__(self, folder: Path, *, overhead: float = 1.0) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.folder, self.losses = folder / "run", list[float]()
        self.watch = trainhealth.watch(self.model, self.optimizer, run_dir=self.folder, overhead=overhead)

    def step(self, micro_batches: int = 1, *, by_hand: bool = False) -> None:
        self.optimizer.zero_grad()
        for number in range(1, micro_batches + 1):
            outputs, targets = self.model(torch.randn(6, 4)), torch.randint(0, 3, (6,))
            loss = F.cross_entropy(outputs, targets)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.losses.append(loss.item())
            if by_hand:
                with torch.no_grad():
                    for parameter in self.model.parameters():
                        parameter -= 0.1 * parameter.grad  # type: ignore[operator]  # each has one
            elif number == micro_batches:
                self.optimizer.step()
            self.watch.step(loss, outputs=outputs, targets=targets)

    def view(self) -> RunView:
        self.watch.close()
        return trainhealth.load(self.folder).view


@pytest.mark.parametrize("overhead", [1.0, 0.02], ids=["sampled", "plain"])
def test_an_optimizer_that_is_made_anew_is_watched(tmp_path: Path, overhead: float, stretches: bool) -> None:  # noqa: F811  # the fixture
    """Every step is in the log, with the loss that belongs to it, and an event tells of the new optimizer."""
    training = Training(tmp_path, overhead=overhead)
    for _ in range(7):
        training.step()
    training.optimizer = torch.optim.SGD(training.model.parameters(), lr=0.025)
    for _ in range(40):
        training.step()
    view = training.view()
    assert view.series("train_loss").values.tolist() == pytest.approx(training.losses, rel=1e-8)
    assert view.series("learning_rate").values[-1] == 0.025
    (told,) = [event for event in view.events if event.event == "optimizer-added"]
    assert "another optimizer than the one that was given to watch: SGD" in str(told.message)


def test_updates_by_hand_end_steps_as_well(tmp_path: Path) -> None:
    """Where no optimizer is to be found, each call of step() is a step, and an event says why."""
    training = Training(tmp_path)
    training.step()
    for _ in range(30):
        training.step(by_hand=True)
    view = training.view()
    assert view.series("train_loss").values.tolist() == pytest.approx(training.losses, rel=1e-8)
    assert [event.event for event in view.events if event.event != "facts"] == ["updates-unseen"]


def test_many_micro_batches_are_one_step(tmp_path: Path) -> None:
    """They leave the weights alone, however many there are."""
    training = Training(tmp_path)
    for _ in range(3):
        training.step(micro_batches=40)
    view = training.view()
    assert len(view.series("train_loss")) == 3
    assert [event.event for event in view.events if event.event != "facts"] == []
