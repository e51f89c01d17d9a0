"""A checkup changes nothing: model, optimizer, random states and loader are bit-identical, however it ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import trainhealth
from tests.checkups.looking import mlp, table
from tests.hooks.test_harmless import assert_same, hooks_of
from tests.hooks.zoo import ZOO, Animal


def everything(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return copies of all that must not change."""
    kept, sets, position, *rest = np.random.get_state()
    return {
        "weights and buffers": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "training": [module.training for module in model.modules()],
        "hooks": [hooks_of(module) for module in model.modules()],
        "optimizer": _copied(optimizer.state_dict()),
        "optimizer hooks": [len(optimizer._optimizer_step_pre_hooks), len(optimizer._optimizer_step_post_hooks)],
        "python": random.getstate(),
        "numpy": [kept, torch.tensor(sets.astype(np.int64)), position, *rest],
        "torch": torch.get_rng_state(),
        "gradients are recorded": torch.is_grad_enabled(),
        "function modes": torch._C._len_torch_function_stack(),
    }


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


BRIEF: Any = {"seconds": 0.0, "quick": True, "progress": False}  # the least that checks do where time is up


def examined(model: nn.Module, loss_fn: Any, source: Any, optimizer: Any, **options: Any) -> Any:
    return trainhealth.checkup(
        model, loss_fn, source, optimizer, **{"only": ["initial-loss", "modes"], **options}, **BRIEF
    )


@pytest.mark.parametrize("make", ZOO, ids=lambda make: make.__name__)
def test_nothing_changes_for_awkward_models(make: Callable[[], Animal]) -> None:
    """Models that have broken somebody's hooks, in the middle of their training, come out as they were."""
    torch.manual_seed(1)
    animal = make()
    for place, _ in enumerate(animal.steps()):
        if place >= 3:
            break
    before = everything(animal.model, animal.optimizer)

    def forward(model: nn.Module, batch: Any) -> Tensor:
        return animal.loss(animal.forward(model, batch[0]), batch[1])

    trainhealth.checkup(
        animal.model,
        None,
        list(animal.batches),
        animal.optimizer,
        forward=forward,
        only=["initial-loss", "modes"],
        seconds=0.0,
        quick=True,
        progress=False,
    )
    assert_same(before, everything(animal.model, animal.optimizer), make.__name__)


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    """A model with batch norm and dropout, and an optimizer with a state, after two steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for inputs, target in table()[:2]:
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), target).backward()
        optimizer.step()
    return model, optimizer


@pytest.mark.slow
def test_every_check_leaves_all_as_it_was() -> None:
    """The whole checkup, all checks, with a validation split."""
    model, optimizer = trained()
    before = everything(model, optimizer)
    report = trainhealth.checkup(model, F.cross_entropy, table(), optimizer, validation=table()[:3], **BRIEF)
    assert len(report.looked_at) > 5
    assert_same(before, everything(model, optimizer), "all checks")


def failing(at: int, error: type[BaseException]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a loss function that raises at its n-th call, wherever in the checkup that is, and draws before."""
    calls: list[None] = []

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        calls.append(None)
        if len(calls) == at:
            raise error("the user's own")
        torch.rand(1), np.random.rand(), random.random()
        return F.cross_entropy(outputs, target)

    return loss


@pytest.mark.parametrize("at", [2, 5, 12])
def test_nothing_changes_when_the_users_code_raises(at: int) -> None:
    """An exception in a check is told as not checked; everything is put back."""
    model, optimizer = trained()
    before = everything(model, optimizer)
    report = examined(model, failing(at, ValueError), table(), optimizer)
    assert any("ValueError" in item.because for item in report.not_checked)
    assert_same(before, everything(model, optimizer), f"exception at {at}")


@pytest.mark.parametrize("at", [1, 2, 5, 12])
def test_nothing_changes_after_an_interrupt(at: int) -> None:
    """Ctrl-C ends the checkup at once, and everything is put back."""
    model, optimizer = trained()
    before = everything(model, optimizer)
    with pytest.raises(KeyboardInterrupt):
        examined(model, failing(at, KeyboardInterrupt), table(), optimizer)
    assert_same(before, everything(model, optimizer), f"interrupt at {at}")


def test_what_a_loss_function_has_closed_over_is_put_back() -> None:
    """A teacher that the loss trains by accident has its weights, statistics and gradients back."""
    model, optimizer = trained()
    teacher, other = trained()
    before = everything(teacher, other)

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            teacher[0].weight.mul_(0.9)
        return F.cross_entropy(outputs + teacher(torch.ones(len(outputs), 12)), target)

    examined(model, loss, table(), optimizer)
    assert_same(before, everything(teacher, other), "teacher")


class Augmented(Dataset[tuple[Tensor, Tensor]]):
    """Draws from every source of randomness that data sets have, and counts."""

    def __init__(self) -> None:
        self.own, self.numpys = random.Random(3), np.random.default_rng(3)
        self.torchs = torch.Generator().manual_seed(3)
        self.drawn = 0

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.drawn += 1
        noise = self.own.random() + self.numpys.random() + random.random() + np.random.rand()
        inputs = torch.randn(12, generator=self.torchs) + noise + torch.rand(1)
        return inputs, torch.tensor(index % 3)


def loader() -> DataLoader[tuple[Tensor, Tensor]]:
    return DataLoader(Augmented(), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(7))


def test_a_loader_yields_afterwards_what_it_would_have() -> None:
    """Shuffling, augmentation and counters go on as if nobody had looked."""

    def epoch(source: DataLoader[Any]) -> list[Tensor]:
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        return [tensor for batch in source for tensor in batch]

    looked_at = loader()
    model = mlp()
    examined(model, F.cross_entropy, looked_at, None, validation=looked_at, only=["data"])
    dataset = looked_at.dataset
    assert isinstance(dataset, Augmented)
    assert dataset.drawn == 0
    assert_same(epoch(loader()), epoch(looked_at), "batches")


def test_an_iteration_that_is_under_way_goes_on_where_it_was() -> None:
    """Between two batches of the user's own loop nothing is taken away from it."""

    def rest(source: DataLoader[Any], look: bool) -> list[Tensor]:
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        iterator: Iterator[Any] = iter(source)
        found = [*next(iterator)]
        if look:
            examined(mlp(), F.cross_entropy, source, None, only=["data"])
        return [*found, *(tensor for batch in iterator for tensor in batch)]

    assert_same(rest(loader(), look=False), rest(loader(), look=True), "batches")


def test_batches_that_a_model_writes_into_are_the_users_no_more() -> None:
    """A model that works in place gets copies."""

    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.mul_(2))

    batches = table()
    before = [tensor.clone() for batch in batches for tensor in batch]
    examined(InPlace(), F.cross_entropy, batches, None)
    assert_same(before, [tensor for batch in batches for tensor in batch], "batches")


def test_weight_norm_of_the_old_kind_can_be_copied() -> None:
    """It keeps a product with a graph, which deepcopy refuses."""
    with pytest.warns(FutureWarning):
        layer = nn.utils.weight_norm(nn.Linear(12, 3))
    model = nn.Sequential(layer)
    model(torch.ones(1, 12))
    assert examined(model, F.cross_entropy, table(), None, only=["initial-loss"]).findings == ()
