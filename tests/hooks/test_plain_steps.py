"""Steps that are not sampled: recorded as all others, with next to nothing of ours in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.overrides import TorchFunctionMode

import trainhealth
from tests.hooks.test_harmless import assert_same, hooks_of, trained
from tests.hooks.zoo import ZOO, Animal
from tests.hooks.zoo_of_loops import LOOPS
from trainhealth.hooks import governor, plain_steps


@pytest.fixture(params=["root hooks off", "root hooks on"])
def stretches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Have stretches of plain steps between steps 4, 8, 16, …; return whether the root hooks are off in them."""
    off: bool = request.param == "root hooks off"
    monkeypatch.setattr(governor, "ALLOWANCE", 0.0)
    monkeypatch.setattr(plain_steps, "AWAKE", 0)
    monkeypatch.setattr(plain_steps, "HOOKED", 1e9 if off else 0.0)
    return off


class Loop:
    """A small training, whose batches, losses and rates a test can change."""

    def __init__(self, folder: Path, *, labels: bool = True) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.watch = trainhealth.watch(self.model, self.optimizer, run_dir=folder / "run")
        self.folder, self.labels = folder / "run", labels
        self.losses: list[float] = []
        self.rested = 0

    def train(self, steps: int, size: int = 6, factor: float = 1.0) -> None:
        for _ in range(steps):
            x, y = torch.randn(size, 4), torch.randint(0, 3, (size,))
            self.rested += not hooks_of(self.model)[1]
            outputs = self.model(x)
            loss = factor * F.cross_entropy(outputs, y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(loss.item())
            if self.labels:
                self.watch.step(loss, outputs=outputs, targets=y)
            else:
                self.watch.step(loss)

    def view(self) -> Any:
        self.watch.close()
        return trainhealth.load(self.folder).view


@pytest.mark.parametrize("make", [*ZOO, *LOOPS], ids=lambda make: make.__name__)
def test_training_is_bit_identical_between_samples(make: Callable[[], Animal], tmp_path: Path, stretches: bool) -> None:
    """As `test_harmless`, with the default budget: nearly all steps are plain ones."""
    bare = trained(make, None)
    watched = trained(make, tmp_path / "run")
    assert_same(bare, watched, make.__name__)
    view = trainhealth.load(tmp_path / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    assert len(view.series("train_loss")) == len(bare["losses"]) // make().micro_batches


def test_every_plain_step_is_recorded(tmp_path: Path, stretches: bool) -> None:
    """Losses are those of the script, in order; the root's hook is there or not, as it should be."""
    loop = Loop(tmp_path)
    loop.train(60)
    assert (loop.rested > 30) is stretches
    view = loop.view()
    assert view.series("train_loss").steps.tolist() == list(range(60))
    assert view.series("train_loss").values.tolist() == pytest.approx(loop.losses, rel=1e-8)
    assert hooks_of(loop.model) == hooks_of(nn.Sequential())


def test_what_changes_is_recorded_where_it_changes(tmp_path: Path, stretches: bool) -> None:
    """Rate and batch size of a plain step stand at the step at which they changed."""
    loop = Loop(tmp_path)
    loop.train(20)
    loop.train(1, size=5)
    loop.optimizer.param_groups[0]["lr"] = 0.05
    loop.train(4, size=5)
    view = loop.view()
    assert (view.series("batch_size").steps.tolist(), view.series("batch_size").values.tolist()) == ([0, 20], [6, 5])
    rates = view.series("learning_rate")
    assert (rates.steps.tolist(), rates.values.tolist()) == ([0, 21], [0.1, 0.05])


def test_the_batch_size_is_seen_without_targets(tmp_path: Path, stretches: bool) -> None:
    """Where `step` is given a loss alone, the root's hook stays, because only it sees the batch."""
    loop = Loop(tmp_path, labels=False)
    loop.train(20)
    loop.train(2, size=5)
    assert loop.rested == 0
    assert loop.view().series("batch_size").values.tolist() == [6, 5]


def test_a_nan_ends_the_stretch(tmp_path: Path, stretches: bool) -> None:
    """The first loss that is not finite is recorded, and the steps after it are looked at again."""
    loop = Loop(tmp_path)
    loop.train(40)
    loop.train(1, factor=float("nan"))
    loop.train(5)
    view = loop.view()
    assert torch.isnan(torch.tensor(view.series("train_loss").values)).nonzero()[0].item() == 40
    assert len(view.series("train_loss")) == 46


def test_accumulation_may_begin_in_the_middle(tmp_path: Path, stretches: bool) -> None:
    """Calls without an update between them are micro-batches of one step, also right after plain steps."""
    loop = Loop(tmp_path)
    loop.train(20)
    for _ in range(3):
        loop.optimizer.zero_grad()
        for _ in range(2):
            x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
            loss = F.cross_entropy(loop.model(x), y)
            loss.backward()
            loop.watch.step(loss, targets=y)
        loop.optimizer.step()
    loop.train(10)
    view = loop.view()
    assert view.series("train_loss").steps.tolist() == list(range(33))
    sizes = view.series("batch_size")
    assert dict(zip(sizes.steps.tolist(), sizes.values.tolist(), strict=True)) == {0: 6, 20: 12, 23: 6}


def test_an_update_that_the_scaler_skips_ends_the_stretch(tmp_path: Path, stretches: bool) -> None:
    """A step whose update was skipped is a step of its own, also right after plain steps."""
    loop = Loop(tmp_path)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for number in range(30):
        x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
        outputs = loop.model(x)
        loss = F.cross_entropy(outputs, y)
        loop.optimizer.zero_grad()
        scaler.scale(loss * (float("inf") if number == 21 else 1.0)).backward()
        scaler.step(loop.optimizer)
        scaler.update()
        loop.watch.step(loss, outputs=outputs, targets=y)
    view = loop.view()
    assert view.series("train_loss").steps.tolist() == list(range(30))
    assert view.skipped_steps.tolist() == [21]


def test_a_call_before_the_update_is_no_plain_step(tmp_path: Path, stretches: bool) -> None:
    """Where `step` stands between backward and the update, steps are recorded with the rate of their own update."""
    loop = Loop(tmp_path)
    for number in range(20):
        x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
        loss = F.cross_entropy(loop.model(x), y)
        loop.optimizer.zero_grad()
        loss.backward()
        loop.watch.step(loss, targets=y)
        loop.optimizer.param_groups[0]["lr"] = 0.1 if number < 11 else 0.05
        loop.optimizer.step()
    view = loop.view()
    assert view.series("train_loss").steps.tolist() == list(range(20))
    assert view.series("learning_rate").steps.tolist() == [0, 11]


def test_rates_of_several_groups_are_all_recorded(tmp_path: Path, stretches: bool) -> None:
    """A rate that differs from group to group is recorded for each, also where it changes between samples."""
    loop = Loop(tmp_path)
    loop.optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))], "lr": 0.2})
    loop.train(21)
    loop.optimizer.param_groups[1]["lr"] = 0.3
    loop.train(3)
    loop.watch.close()
    lines = (loop.folder / "events-0.jsonl").read_text().splitlines()
    told = [line for line in lines if '"learning_rates":' in line]
    assert [line.partition('"learning_rates":')[2].split("]")[0] for line in told] == ["[0.1,0.2", "[0.1,0.3"]
    assert '"step":21,' in told[1]


def test_a_number_of_the_scripts_own_is_taken(tmp_path: Path, stretches: bool) -> None:
    """A step whose number is given counts on from there."""
    loop = Loop(tmp_path)
    loop.train(20)
    x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
    loss = F.cross_entropy(loop.model(x), y)
    loss.backward()
    loop.optimizer.step()
    loop.watch.step(loss, targets=y, step=100)
    loop.train(3)
    assert loop.view().series("train_loss").steps.tolist() == [*range(20), 100, 101, 102, 103]


def test_the_hook_is_back_where_an_evaluation_is_expected(tmp_path: Path, stretches: bool) -> None:
    """Evaluations that come at regular intervals are seen, although the hook is off in most of the steps."""
    loop = Loop(tmp_path)
    seen = []
    for epoch in range(6):
        loop.train(20)
        seen.append(hooks_of(loop.model)[1])
        loop.model.eval()
        with torch.no_grad():
            loop.model(torch.randn(6, 4))
        loop.model.train()
        loop.watch.epoch(validation_loss=1.0 / (epoch + 1))
    assert seen[2:] == [1, 1, 1, 1]
    assert (loop.rested > 60) is stretches


def test_a_mode_of_the_users_sees_nothing_of_a_plain_step(tmp_path: Path, stretches: bool) -> None:
    """In a plain step, too, a function mode around the loop sees the script's own calls and no other."""

    class Counts(TorchFunctionMode):
        calls = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            Counts.calls += 1
            return func(*args, **(kwargs or {}))

    loop = Loop(tmp_path)
    loop.train(20)
    counted = []
    for watch in (loop.watch.step, lambda *args, **kwargs: None):
        loop.watch.step, Counts.calls = watch, 0  # type: ignore[method-assign]  # the second time without us
        with Counts():
            loop.train(1)
        counted.append(Counts.calls)
    assert counted[0] == counted[1]


def test_gathered_steps_reach_the_file_in_order(tmp_path: Path, stretches: bool) -> None:
    """Where records are gathered, whatever is written at the end of an epoch stands after the steps before it."""
    loop = Loop(tmp_path)
    loop.train(20)
    loop.watch.recorder.writer._gather()
    loop.train(7)
    loop.watch.epoch(validation_loss=0.5)
    loop.train(3)
    lines = loop.view() and (loop.folder / "events-0.jsonl").read_text().splitlines()
    kinds = [line.split('"')[3] for line in lines if line.startswith(('{"kind":"step"', '{"kind":"epoch"'))]
    assert kinds == ["step"] * 27 + ["epoch"] + ["step"] * 3


def test_gathered_steps_are_recorded_as_all_others(tmp_path: Path, stretches: bool) -> None:
    """Losses, a smaller last batch, a new rate, a target that has no axis: each in the record of its own step."""
    loop = Loop(tmp_path)
    loop.train(40)
    loop.watch.recorder.writer._gather()
    loop.train(10)
    loop.train(1, size=4)
    loop.train(5)
    loop.optimizer.param_groups[0]["lr"] = 0.05
    loop.train(2)
    x, y = torch.randn(1, 4), torch.tensor(2)
    loss = F.cross_entropy(loop.model(x)[0], y)
    loop.optimizer.zero_grad()
    loss.backward()
    loop.optimizer.step()
    loop.losses.append(loss.item())
    loop.watch.step(loss, targets=y)
    loop.train(3)
    view = loop.view()
    assert view.series("train_loss").values == pytest.approx(loop.losses)
    steps = [json.loads(line) for line in (loop.folder / "events-0.jsonl").read_text().splitlines()]
    records = {record["step"]: record for record in steps if record["kind"] == "step"}
    assert [number for number, record in records.items() if record.get("learning_rate") == 0.05] == [56]
    assert [(number, records[number]["batch_size"]) for number in records if "batch_size" in records[number]][:3] == [
        (0, 6), (50, 4), (51, 6)
    ]  # fmt: skip


def test_a_step_may_end_in_a_hook_after_the_update(tmp_path: Path, stretches: bool) -> None:
    """The script's own hook calls `step`, while torch goes through the optimizer's hooks: they stay as they are."""
    loop = Loop(tmp_path)
    batch: dict[str, torch.Tensor] = {}
    loop.optimizer.register_step_post_hook(lambda *_: loop.watch.step(**batch))  # type: ignore[arg-type]
    loop.optimizer.register_step_post_hook(lambda *_: None)
    for _ in range(40):
        x, y = torch.randn(6, 4), torch.randint(0, 3, (6,))
        loop.rested += not hooks_of(loop.model)[1]
        outputs = loop.model(x)
        loss = F.cross_entropy(outputs, y)
        batch.update(loss=loss, outputs=outputs, targets=y)
        loop.optimizer.zero_grad()
        loss.backward()
        loop.optimizer.step()
        loop.losses.append(loss.item())
    assert bool(loop.rested) == stretches
    assert loop.view().series("train_loss").values == pytest.approx(loop.losses)
