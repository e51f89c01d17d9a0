"""Gradients that were left by the step before, or that somebody else's backward leaves in the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import trainhealth
from tests.hooks.test_gradient_signals import gradient, loss_of, net, sgd, view, watched
from trainhealth.hooks.probes import leftover_shares


def never(optimizer: torch.optim.Optimizer, where: str) -> None:
    """Zero nothing."""


def zeroing(place: str, **options: Any) -> Callable[[torch.optim.Optimizer, str], None]:
    return lambda optimizer, where: optimizer.zero_grad(**options) if where == place else None


ZEROED = {
    "before forward": zeroing("before forward"),
    "before backward": zeroing("before backward"),
    "after the update": zeroing("after the update"),
    "in place": zeroing("before backward", set_to_none=False),
}


@pytest.mark.parametrize("order", ["after", "before"])
@pytest.mark.parametrize("zero", ZEROED.values(), ids=ZEROED)
def test_wherever_gradients_are_zeroed_nothing_is_left(tmp_path: Path, zero: Any, order: str) -> None:
    """The loop's own place for zero_grad does not matter, nor whether `step` stands before the update."""
    norms, gradients = leftovers(tmp_path, zero, order)
    assert norms == [0.0] * 4
    assert len(gradients) == 4


@pytest.mark.parametrize("order", ["after", "before"])
def test_gradients_that_are_never_zeroed_are_left(tmp_path: Path, order: str) -> None:
    """Without zero_grad each backward begins at the gradient of the step before."""
    norms, gradients = leftovers(tmp_path, never, order)
    assert norms == pytest.approx([0.0, *gradients[:-1]], rel=1e-4)


def leftovers(folder: Path, zero: Callable[[torch.optim.Optimizer, str], None], order: str) -> tuple[list[Any], Any]:
    """Train four steps; return leftover_gradient_norm, and the norm of the gradient before each update."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, folder)
    gradients = []
    for _ in range(4):
        zero(optimizer, "before forward")
        loss = loss_of(model)
        zero(optimizer, "before backward")
        loss.backward()
        gradients.append(np.linalg.norm(gradient(model)))
        if order == "before":
            watch.step(loss)
        optimizer.step()
        zero(optimizer, "after the update")
        if order == "after":
            watch.step(loss)
    return view(watch).series("leftover_gradient_norm").values.tolist(), gradients


def test_a_gradient_penalty_is_no_backward(tmp_path: Path) -> None:
    """torch.autograd.grad before zero_grad and backward does not make zeroed gradients look left over."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)
    for _ in range(4):
        x = torch.randn(6, 4, requires_grad=True)
        outputs = model(x)
        (slope,) = torch.autograd.grad(outputs.sum(), x, create_graph=True)
        loss = outputs.square().mean() + slope.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert view(watch).series("leftover_gradient_norm").values.tolist() == [0.0] * 4


def test_micro_batches_leave_nothing(tmp_path: Path) -> None:
    """Gradients that are accumulated on purpose belong to one step: it began from zero."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)
    for number in range(12):
        loss = loss_of(model)
        loss.backward()
        if number % 3 == 2:
            optimizer.step()
            optimizer.zero_grad()
        watch.step(loss)
    assert view(watch).series("leftover_gradient_norm").values.tolist() == [0.0] * 4


def test_a_parameter_that_no_optimizer_holds_does_not_count(tmp_path: Path) -> None:
    """zero_grad of the optimizer does not reach it, and what piles up there does no harm."""
    model = net()
    optimizer = sgd(model[2])
    watch = watched(model, optimizer, tmp_path)
    for _ in range(4):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert view(watch).series("leftover_gradient_norm").values.tolist() == [0.0] * 4


# --- of somebody else ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeroed", [True, False])
def test_a_generators_backward_through_the_watched_critic(tmp_path: Path, zeroed: bool) -> None:
    """The critic's gradients of the generator's loss are dropped before its own backward; if not, they add up."""
    torch.manual_seed(0)
    critic, generator = nn.Linear(4, 1), nn.Linear(2, 4)
    own, other = torch.optim.SGD(critic.parameters(), lr=0.01), torch.optim.SGD(generator.parameters(), lr=0.01)
    with trainhealth.watch(critic, own, run_dir=tmp_path / "run") as watch:
        for _ in range(60):
            other.zero_grad()
            (-critic(generator(torch.randn(8, 2))).mean()).backward()
            other.step()
            if zeroed:
                own.zero_grad()
            loss = critic(torch.randn(8, 4)).square().mean()
            loss.backward()
            own.step()
            watch.step(loss)
    codes = {finding.code for finding in trainhealth.check(tmp_path / "run").findings}
    assert ("OP10" in codes) is not zeroed


# --- of several that take turns --------------------------------------------------------------------------------------


class Players:
    """A generator and a discriminator, each with an optimizer, and what was found in their gradients."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.maker, self.judge = nn.Linear(2, 4), nn.Linear(4, 1)
        self.of_maker, self.of_judge = (torch.optim.SGD(m.parameters(), lr=0.01) for m in (self.maker, self.judge))
        models, optimizers = {"G": self.maker, "D": self.judge}, {"G": self.of_maker, "D": self.of_judge}
        self.watch = trainhealth.watch(models, optimizers, run_dir=folder / "run", overhead=1.0)

    def judges(self, *, apart: bool = False) -> None:
        """Train the discriminator, with one backward or with one for either kind of data."""
        true = nn.functional.softplus(-self.judge(torch.randn(8, 4))).mean()
        false = nn.functional.softplus(self.judge(self.maker(torch.randn(8, 2)).detach())).mean()
        for loss in (true, false) if apart else (true + false,):
            loss.backward()
        self.of_judge.step()

    def makes(self) -> torch.Tensor:
        """Train the generator, whose backward leaves gradients in the discriminator."""
        loss = nn.functional.softplus(-self.judge(self.maker(torch.randn(8, 2)))).mean()
        loss.backward()
        self.of_maker.step()
        return loss

    def shares(self) -> dict[str, list[float]]:
        """Return what the log says of the last weight of each."""
        columns = view(self.watch).columns("leftover_share")
        return {place: columns.place(place).values.tolist() for place in columns.places if len(columns.place(place))}


@pytest.mark.parametrize("apart", [False, True])
def test_players_that_zero_their_own_gradients_leave_nothing(tmp_path: Path, apart: bool) -> None:
    """What the generator leaves in the discriminator is dropped; a second backward adds to the first, as is meant."""
    players = Players(tmp_path)
    for _ in range(6):
        players.of_judge.zero_grad()
        players.judges(apart=apart)
        players.of_maker.zero_grad()
        players.watch.step(players.makes())
    assert players.shares() == {"G.weight": [0.0] * 5, "D.weight": [0.0] * 5}
    assert not players.judge.weight._backward_hooks


def test_a_player_that_does_not_zero_is_found_and_the_other_is_not(tmp_path: Path) -> None:
    """The share is that of what stood there in what the optimizer has used, computed by hand."""
    players, expected = Players(tmp_path), []
    for step in range(6):
        left = players.judge.weight.grad
        before = 0.0 if left is None else left.norm().item()
        players.judges()
        gradient = players.judge.weight.grad
        assert gradient is not None
        expected += [before / gradient.norm().item()] if step else []
        players.of_maker.zero_grad()
        players.watch.step(players.makes())
    shares = players.shares()
    assert shares["D.weight"] == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 0
    assert shares["G.weight"] == [0.0] * 5


def test_a_player_that_accumulates_over_the_steps_of_the_other(tmp_path: Path) -> None:
    """Two batches for one update of its own: in its own step the first one's gradient stands there, as is meant."""
    players = Players(tmp_path)
    for step in range(8):
        players.of_maker.zero_grad()
        loss = players.makes()
        if step % 2 == 0:
            players.of_judge.zero_grad()
        nn.functional.softplus(-players.judge(torch.randn(8, 4))).mean().backward()
        if step % 2:
            players.of_judge.step()
        players.watch.step(loss)
    assert set(players.shares().get("D.weight", [])) <= {0.0}


def test_one_model_with_one_optimizer_gets_no_hook(tmp_path: Path) -> None:
    """`leftover_gradient_norm` tells it all."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)
    for _ in range(4):
        optimizer.zero_grad()
        loss = loss_of(model)
        assert not any(parameter._backward_hooks for parameter in model.parameters())
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert not view(watch).has("leftover_share")


def test_what_fails_in_a_hook_does_not_reach_the_backward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that is out while a gradient is measured switches the probe off, and training goes on."""

    def fail(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        raise torch.OutOfMemoryError("no room")

    players = Players(tmp_path)
    monkeypatch.setattr(leftover_shares, "norms", fail)

    def train() -> None:
        for _ in range(4):
            players.judges()
            players.watch.step(players.makes())

    with pytest.warns(UserWarning, match="probe leftover_shares failed"):
        train()
    assert not players.judge.weight._backward_hooks
