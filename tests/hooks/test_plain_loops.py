"""Loops of other forms are plain, too: accumulation, `step` before the update, batches that are mappings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from tests.hooks.test_plain_steps import stretches  # noqa: F401  # a fixture
from trainhealth.hooks.governor import Governor
from trainhealth.hooks.plain_steps import PlainSteps

STEPS = 40


class Net(nn.Module):
    """A model that takes and returns mappings, as those of a well-known library do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        logits = self.layer(inputs)
        return {"loss": F.cross_entropy(logits, labels), "logits": logits}


class Loop:
    """What the loops below have in common: a model, its batches, and the handle."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.model = Net()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.watch = trainhealth.watch(self.model, self.optimizer, run_dir=folder, probes=[])

    def backward(self, number: int) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        size = 6 if number % 7 else 3
        labels = torch.randint(0, 3, (size,))
        outputs = self.model(inputs=torch.randn(size, 4), labels=labels)
        outputs["loss"].backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return outputs["loss"], outputs, labels

    def update(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()


def before(loop: Loop) -> None:
    for number in range(STEPS):
        loss, outputs, labels = loop.backward(number)
        loop.watch.step(loss, outputs=outputs["logits"], targets=labels)
        loop.update()


def after(loop: Loop, first: int = 0) -> None:
    for number in range(first, STEPS):
        loss, outputs, labels = loop.backward(number)
        loop.update()
        loop.watch.step(loss, outputs=outputs["logits"], targets=labels)


def accumulating(loop: Loop, steps: int = STEPS, rest: int = 0) -> None:
    for number in range(3 * steps + rest):
        loss, outputs, labels = loop.backward(number)
        if number % 3 == 2:
            loop.update()
        loop.watch.step(loss, outputs=outputs["logits"], targets=labels)


def accumulating_before(loop: Loop) -> None:
    for number in range(3 * STEPS):
        loss, outputs, labels = loop.backward(number)
        loop.watch.step(loss, outputs=outputs["logits"], targets=labels)
        if number % 3 == 2:
            loop.update()


def epochs_with_a_rest(loop: Loop) -> None:
    """The last two micro-batches of an epoch make a step of their own, which no call of `step` follows."""
    for _ in range(4):
        accumulating(loop, 10, rest=2)
        loop.update()


def mappings(loop: Loop) -> None:
    for number in range(STEPS):
        loss, outputs, _ = loop.backward(number)
        loop.update()
        loop.watch.step(loss, outputs=outputs)  # type: ignore[arg-type]  # the point


def mappings_and_targets(loop: Loop) -> None:
    for number in range(STEPS):
        loss, outputs, labels = loop.backward(number)
        loop.update()
        loop.watch.step(loss, outputs=outputs, targets=labels)  # type: ignore[arg-type]  # the point


def numbers(loop: Loop) -> None:
    for number in range(STEPS):
        loss, outputs, labels = loop.backward(number)
        loop.update()
        loop.watch.step(loss.item(), outputs=outputs["logits"], targets=labels)


def with_a_schedule(loop: Loop) -> None:
    scheduler = torch.optim.lr_scheduler.StepLR(loop.optimizer, 5)
    for number in range(STEPS):
        loss, *_ = loop.backward(number)
        loop.watch.step(loss)
        loop.update()
        scheduler.step()


def another_order_later(loop: Loop) -> None:
    before(loop)
    after(loop)
    accumulating(loop)
    before(loop)


def a_call_more(loop: Loop) -> None:
    """One update is left out: its batch belongs to the next step."""
    for number in range(STEPS):
        loss, outputs, labels = loop.backward(number)
        loop.watch.step(loss, outputs=outputs["logits"], targets=labels)
        if number != 21:
            loop.update()


def a_nan(loop: Loop) -> None:
    for number in range(3 * STEPS):
        loss, outputs, labels = loop.backward(number)
        if number % 3 == 2:
            loop.update()
        loop.watch.step(loss * (float("nan") if number == 61 else 1), outputs=outputs["logits"], targets=labels)


LOOPS = (
    before,
    after,
    accumulating,
    accumulating_before,
    epochs_with_a_rest,
    mappings,
    mappings_and_targets,
    numbers,
    with_a_schedule,
    another_order_later,
    a_call_more,
    a_nan,
)


def steps_logged(folder: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (folder / "events-0.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "time"} for record in records if record["kind"] == "step"]


@pytest.mark.parametrize("run", LOOPS, ids=lambda run: run.__name__)
def test_the_log_is_that_of_steps_looked_at_one_by_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[[Loop], None],
    stretches: bool,  # noqa: F811  # the fixture
) -> None:
    """Most steps are plain, and none of their records differs in a byte but the time."""
    monkeypatch.setattr(Governor, "affords", lambda _, cost: cost < 1.0)  # accuracies do not depend on the machine
    taken: list[bool] = []
    took = PlainSteps.took

    def counting(plain: PlainSteps, *arguments: Any) -> bool:
        taken.append(took(plain, *arguments))
        return taken[-1]

    with monkeypatch.context() as patch:
        patch.setattr(PlainSteps, "took", counting)
        plain = Loop(tmp_path / "plain")
        run(plain)
        plain.watch.close()
    monkeypatch.setattr(PlainSteps, "_begin", lambda *_, **__: None)
    slow = Loop(tmp_path / "slow")
    run(slow)
    slow.watch.close()
    expected = steps_logged(tmp_path / "slow")
    assert steps_logged(tmp_path / "plain") == expected
    assert len(expected) >= STEPS - 1
    assert sum(taken) > len(expected) / 2
    for ours, theirs in zip(plain.model.parameters(), slow.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_call_that_waits_is_no_step_at_the_end(tmp_path: Path, stretches: bool) -> None:  # noqa: F811  # the fixture
    """A run that ends between a call of `step` and its update ends with the step before."""
    loop = Loop(tmp_path / "run")
    for number in range(STEPS):
        loss, *_ = loop.backward(number)
        loop.watch.step(loss)
        if number < STEPS - 1:
            loop.update()
    loop.watch.close()
    assert len(steps_logged(tmp_path / "run")) == STEPS - 1
