"""Watching changes nothing where several models take turns, and where a backward fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import trainhealth
from tests.hooks.test_harmless import assert_same, hooks_of


def trained_gan(run_dir: Path | None) -> dict[str, Any]:
    """Train a generator and a critic in turns, watched or not, and return all that could differ."""
    torch.manual_seed(3)
    models = {
        "generator": nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)),
        "critic": nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3), nn.Linear(8, 1)),
    }
    optimizers = {name: torch.optim.Adam(model.parameters(), lr=0.01) for name, model in models.items()}
    watch = None if run_dir is None else trainhealth.watch(models, optimizers, run_dir=run_dir, overhead=1.0)
    losses = []
    for _ in range(12):
        fake, real = models["generator"](torch.randn(8, 2)), torch.randn(8, 3)
        critic = models["critic"](fake.detach()).mean() - models["critic"](real).mean()
        optimizers["critic"].zero_grad()
        critic.backward()
        optimizers["critic"].step()
        generator = -models["critic"](fake).mean()
        optimizers["generator"].zero_grad()
        generator.backward()
        optimizers["generator"].step()
        losses += [critic.item(), generator.item()]
        if watch is not None:
            watch.step({"critic": critic, "generator": generator})
    if watch is not None:
        watch.close()
    return {
        "losses": losses,
        "weights": {name: dict(model.state_dict()) for name, model in models.items()},
        "gradients": [p.grad for model in models.values() for p in model.parameters()],
        "optimizers": [optimizer.state_dict()["state"] for optimizer in optimizers.values()],
        "random state": torch.get_rng_state(),
        "hooks": [hooks_of(module) for model in models.values() for module in model.modules()],
        "parameter hooks": [len(p._backward_hooks or ()) for model in models.values() for p in model.parameters()],
    }


def test_a_gan_trains_the_same(tmp_path: Path) -> None:
    """Two models, two optimizers and two losses a step: all is the same to the bit."""
    assert_same(trained_gan(None), trained_gan(tmp_path / "run"), "gan")
    view = trainhealth.load(tmp_path / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    assert len(view.series("train_loss")) == 12


class Refuses(torch.autograd.Function):
    """The identity; its backward raises while `now` is set."""

    now = False

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the same numbers."""
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Pass the gradient on, or fail."""
        if Refuses.now:
            raise ValueError("the user's own error")
        return gradient


def trained_with_a_failure(run_dir: Path | None) -> tuple[nn.Module, list[float]]:
    """Train eight steps, whose third backward raises half way and is caught by the script."""
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    watch = None if run_dir is None else trainhealth.watch(model, optimizer, run_dir=run_dir, overhead=1.0)
    for number in range(8):
        Refuses.now = number == 2
        loss = model[2](Refuses.apply(model[1](model[0](torch.randn(4, 3))))).square().mean()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if number % 2 == 0:
            loss = loss + 0 * model(torch.randn(4, 3)).mean()
        optimizer.zero_grad()
        if Refuses.now:
            with pytest.raises(ValueError, match="the user's own error"):
                loss.backward()
            continue
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if watch is not None:
            watch.step(loss)
    if watch is not None:
        watch.close()
    return model, losses


def test_an_exception_in_backward_leaves_nothing_behind(tmp_path: Path) -> None:
    """A backward that raises is the script's own affair: it trains on as without us, and every step is recorded."""
    (bare, expected), (watched, losses) = trained_with_a_failure(None), trained_with_a_failure(tmp_path / "run")
    assert losses == expected
    assert_same(dict(bare.state_dict()), dict(watched.state_dict()), "weights")
    assert [hooks_of(module) for module in watched.modules()] == [hooks_of(module) for module in bare.modules()]
    view = trainhealth.load(tmp_path / "run").view
    assert view.series("train_loss").values.tolist() == pytest.approx(losses, rel=1e-8)
    assert not [event for event in view.events if event.event.endswith("-disabled")]
