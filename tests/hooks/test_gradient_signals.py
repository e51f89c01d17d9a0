"""Signals of gradients: clipped, compared from step to step; each computed a second, naive way."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.governor import Governor
from trainhealth.hooks.probes.gradient_noise import AVERAGED
from trainhealth.hooks.strided import LARGEST_GRADIENTS, flat, joined, stride_for
from trainhealth.series import RunView


def net(width: int = 8) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))


def sgd(model: nn.Module, **settings: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), **{"lr": 0.01, **settings})


def loss_of(model: nn.Module, size: int = 6) -> Tensor:
    return F.mse_loss(model(torch.randn(size, 4)), torch.randn(size, 1))


def gradient(model: nn.Module) -> np.ndarray:
    return np.concatenate([p.grad.flatten().double().numpy() for p in model.parameters()])


def view(watch: trainhealth.Watch) -> RunView:
    watch.close()
    run = trainhealth.load(watch.run_dir).view
    assert not [event for event in run.events if event.event.endswith("disabled")]
    return run


def watched(model: nn.Module, optimizer: Any, folder: Path, **options: Any) -> trainhealth.Watch:
    return trainhealth.watch(model, optimizer, run_dir=folder / "run", **{"overhead": 1.0, **options})


# --- clipping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1e-3, 1e3, None])
def test_clipping_shows_beside_the_gradient_norm(tmp_path: Path, limit: float | None) -> None:
    """clipped_gradient_norm is what the optimizer gets; without clipping, or below its limit, it is gradient_norm."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)
    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        if limit is not None:
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        expected.append(np.linalg.norm(gradient(model)))
        optimizer.step()
        watch.step(loss)
    run = view(watch)
    assert run.series("clipped_gradient_norm").values.tolist() == pytest.approx(expected, rel=1e-4)
    unclipped = run.series("gradient_norm").values
    assert (np.abs(unclipped / expected - 1) < 1e-3).all() == (limit != 1e-3)


def test_clipping_by_value_is_seen(tmp_path: Path) -> None:
    """Whatever the script does to the gradients between backward and the update is in the clipped norm."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)
    loss = loss_of(model)
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 1e-4)
    expected = np.linalg.norm(gradient(model))
    optimizer.step()
    watch.step(loss)
    assert view(watch).series("clipped_gradient_norm").values.tolist() == [pytest.approx(expected, rel=1e-4)]


def test_gradients_of_a_closure_are_not_known_when_the_step_begins(tmp_path: Path) -> None:
    """LBFGS computes its gradients inside its step: those that stand there before are of the step before."""
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)
    watch = watched(model, optimizer, tmp_path)
    x, y = torch.randn(6, 4), torch.randn(6, 1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        return loss

    for _ in range(4):
        watch.step(optimizer.step(closure))
    run = view(watch)
    assert len(run.columns("parameter_gradient_norm")) == 4
    assert not run.has("clipped_gradient_norm")
    assert not run.has("gradient_cosine")


# --- several optimizers ----------------------------------------------------------------------------------------------


def test_a_player_that_does_not_step_has_no_gradient(tmp_path: Path) -> None:
    """A generator that steps every third time keeps old gradients in between: they are not those of the step."""
    torch.manual_seed(0)
    models = {"generator": nn.Linear(2, 2), "critic": nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))}
    optimizers = {name: torch.optim.SGD(model.parameters(), lr=0.01) for name, model in models.items()}
    norms = {"generator": {}, "critic": {}}
    watch = trainhealth.watch(models, optimizers, run_dir=tmp_path / "run", overhead=1.0)
    for step in range(7):
        for player in ("critic", "generator") if step % 3 == 0 else ("critic",):
            fake = models["generator"](torch.randn(8, 2))
            loss = models["critic"](fake).mean() * (1 if player == "critic" else -1)
            loss = loss - models["critic"](torch.randn(8, 2)).square().mean() * (player == "critic")
            optimizers[player].zero_grad()
            loss.backward()
            norms[player][step] = np.linalg.norm(gradient(models[player]))
            optimizers[player].step()
        watch.step(loss)
    run = view(watch)
    for name, model in models.items():
        columns = [run.columns("parameter_gradient_norm").place(f"{name}.{p}") for p, _ in model.named_parameters()]
        seen = {
            step: float(np.sqrt(sum(c.at(step) ** 2 for c in columns))) for step in columns[0].finite().steps.tolist()
        }
        assert seen == pytest.approx(norms[name], rel=1e-3), name
    both = [math.hypot(norms["critic"][step], norms["generator"].get(step, 0.0)) for step in range(7)]
    assert run.series("clipped_gradient_norm").values.tolist() == pytest.approx(both, rel=1e-3)
    assert run.series("gradient_norm").values.tolist() == pytest.approx(both, rel=1e-3)
    assert not run.has("leftover_gradient_norm")  # each player zeroes before its own backward


@pytest.mark.parametrize("order", ["after", "before"])
def test_two_optimizers_of_one_model(tmp_path: Path, order: str) -> None:
    """Where `step` stands before both updates, the gradients of both are those of the step all the same."""
    model = net()
    optimizers = {"first": sgd(model[0]), "last": sgd(model[2])}
    watch = watched(model, optimizers, tmp_path)
    expected = []
    for _ in range(4):
        loss = loss_of(model)
        model.zero_grad()
        loss.backward()
        expected.append(np.linalg.norm(gradient(model)))
        if order == "before":
            watch.step(loss)
        for optimizer in optimizers.values():
            optimizer.step()
        if order == "after":
            watch.step(loss)
    run = view(watch)
    assert run.series("gradient_norm").values.tolist() == pytest.approx(expected, rel=1e-4)
    clipped = run.series("clipped_gradient_norm").values.tolist()
    assert clipped == (pytest.approx(expected, rel=1e-4) if order == "after" else [])  # of the first alone: untrue


# --- successive gradients --------------------------------------------------------------------------------------------


def cosine(g: np.ndarray, h: np.ndarray) -> float:
    return float(g @ h / math.sqrt((g @ g) * (h @ h)))


def test_cosine_of_successive_gradients(tmp_path: Path) -> None:
    """Each sampled step is compared with the one before it."""
    model = net()
    optimizer = sgd(model, lr=0.3)
    watch = watched(model, optimizer, tmp_path)
    gradients = []
    for _ in range(6):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        gradients.append(gradient(model))
        optimizer.step()
        watch.step(loss)
    run = view(watch).series("gradient_cosine")
    assert run.steps.tolist() == [1, 2, 3, 4, 5]
    expected = [cosine(g, h) for g, h in pairwise(gradients)]
    assert run.values.tolist() == pytest.approx(expected, abs=1e-4)


def test_the_step_before_a_sampled_one_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where samples are rare, a pair costs one sample: of the step before it, only the gradient is remembered."""
    model = net()
    optimizer = sgd(model, lr=0.3)
    monkeypatch.setattr(Governor, "_due", lambda *_: False)  # nothing is affordable: powers of two alone
    watch = watched(model, optimizer, tmp_path)
    gradients = []
    for _ in range(34):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        gradients.append(gradient(model))
        optimizer.step()
        watch.step(loss)
    run = view(watch)
    assert run.columns("update_ratio").steps.tolist() == [0, 1, 2, 4, 8, 16, 32]
    assert run.series("gradient_cosine").steps.tolist() == [1, 2, 4, 8, 16, 32]
    expected = [cosine(gradients[step - 1], gradients[step]) for step in (1, 2, 4, 8, 16, 32)]
    assert run.series("gradient_cosine").values.tolist() == pytest.approx(expected, abs=1e-4)


def noise_scales(signals: list[float], squares: list[float], size: int) -> list[float]:
    """Return tr(Sigma) / |G|^2 from estimates of |G|^2 and |G|^2 + tr(Sigma) / size, naively."""
    scales = []
    for last in range(1, len(signals) + 1):
        recent = slice(max(0, last - AVERAGED), last)
        share = np.mean(np.array(signals[recent]) / np.array(squares[recent]))
        scales.append(size * (1 - share) / share if share > 0 else math.inf)
    return scales


def test_noise_scale_from_successive_steps(tmp_path: Path) -> None:
    """With batch sizes B and 2 B: |G|^2 = 2 |mean|^2 - mean |g|^2, and the noise is what is missing to mean |g|^2."""
    model = net()
    optimizer = sgd(model, lr=1e-3)
    watch = watched(model, optimizer, tmp_path)
    gradients = []
    for _ in range(14):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        gradients.append(gradient(model))
        optimizer.step()
        watch.step(loss)
    pairs = [np.array(pair) for pair in pairwise(gradients)]
    squares = [float((pair**2).sum(1).mean()) for pair in pairs]
    signals = [2 * float((pair.mean(0) ** 2).sum()) - square for pair, square in zip(pairs, squares, strict=True)]
    expected = noise_scales(signals, squares, size=6)
    assert view(watch).series("gradient_noise_scale").values.tolist() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("order", ["after", "before"])
def test_noise_scale_from_micro_batches(tmp_path: Path, order: str) -> None:
    """Under accumulation, |G|^2 is the mean product of two different micro-batches' gradients."""
    model = net()
    optimizer = sgd(model, lr=1e-3)
    watch = watched(model, optimizer, tmp_path)
    count, signals, squares = 4, [], []
    for _ in range(5):
        sums = [np.zeros(sum(p.numel() for p in model.parameters()))]
        for micro in range(count):
            loss = loss_of(model) / count
            loss.backward()
            sums.append(gradient(model))
            last = micro == count - 1
            if last and order == "after":
                optimizer.step()
                optimizer.zero_grad()
            watch.step(loss)
            if last and order == "before":
                optimizer.step()
                optimizer.zero_grad()
        parts = np.diff(sums, axis=0) * count
        products = parts @ parts.T
        signals.append((products.sum() - np.trace(products)) / (count * (count - 1)))
        squares.append(np.trace(products) / count)
    expected = noise_scales(signals, squares, size=6)
    assert view(watch).series("gradient_noise_scale").values.tolist() == pytest.approx(expected, rel=1e-3)


def test_noise_scale_of_a_known_distribution(tmp_path: Path) -> None:
    """Gradients with mean m and covariance I / B in d dimensions have the scale d / |m|^2."""
    torch.manual_seed(0)
    dimensions, size, mean = 1000, 16, 0.5
    model = nn.Linear(dimensions, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    watch = watched(model, optimizer, tmp_path)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(torch.randn(size, dimensions) + mean).mean()  # its gradient is the mean of the inputs
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scales = view(watch).series("gradient_noise_scale").values
    assert np.median(scales) == pytest.approx(dimensions / (dimensions * mean**2), rel=0.05)


def test_no_true_gradient_is_an_infinite_scale(tmp_path: Path) -> None:
    """Where successive gradients point against each other there is no signal at all."""
    model = nn.Linear(4, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
    watch = watched(model, optimizer, tmp_path)
    for step in range(3):
        optimizer.zero_grad()
        loss = model(torch.ones(6, 4)).mean() * (-1) ** step
        loss.backward()
        optimizer.step()
        watch.step(loss)
    run = view(watch)
    assert run.series("gradient_noise_scale").values.tolist() == [math.inf, math.inf]
    assert run.series("gradient_cosine").values.tolist() == pytest.approx([-1.0, -1.0])


def test_batches_of_different_size_have_no_noise_scale(tmp_path: Path) -> None:
    """The last batch of an epoch is often smaller: it is compared, but no scale is made of it."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)
    for size in (6, 6, 3, 6):
        optimizer.zero_grad()
        loss = loss_of(model, size)
        loss.backward()
        optimizer.step()
        watch.step(loss)
    run = view(watch)
    assert run.series("gradient_noise_scale").steps.tolist() == [1]
    assert run.series("gradient_cosine").steps.tolist() == [1, 2, 3]


def test_gradients_of_single_examples_disturb_nothing(tmp_path: Path) -> None:
    """torch.func on the watched model, between backward and the update, is neither measured nor made to fail."""
    model = net()
    optimizer = sgd(model)
    watch = watched(model, optimizer, tmp_path)

    def loss_of_one(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(model, parameters, (x[None],)).square().mean()

    expected = []
    for _ in range(3):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        expected.append(np.linalg.norm(gradient(model)))
        detached = {name: p.detach() for name, p in model.named_parameters()}
        each = torch.func.vmap(torch.func.grad(loss_of_one), in_dims=(None, 0))(detached, torch.randn(5, 4))
        assert each["0.weight"].shape == (5, 8, 4)
        optimizer.step()
        watch.step(loss)
    run = view(watch)
    assert run.series("gradient_norm").values.tolist() == pytest.approx(expected, rel=1e-4)
    assert len(run.series("gradient_cosine")) == 2


# --- bounded samples -------------------------------------------------------------------------------------------------


def test_large_gradients_are_sampled_without_passing_over_a_column() -> None:
    """The sample is bounded, and every row and column of a matrix has its share of it."""
    sizes = [4096 * 1024, 1024, 1024 * 512]
    stride = stride_for(sizes, LARGEST_GRADIENTS)
    assert sum(-(-size // stride) for size in sizes) <= LARGEST_GRADIENTS + len(sizes)
    columns = np.bincount(np.arange(0, 4096 * 1024, stride) % 1024, minlength=1024)
    assert columns.min() >= columns.max() - 1
    assert stride_for([100, 7], LARGEST_GRADIENTS) == 1


def test_a_sample_of_a_tensor_in_another_memory_order_is_a_view() -> None:
    """A weight in channels_last is sampled where it stands, and not copied as a whole first."""
    weight = torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last)
    assert flat(weight).data_ptr() == weight.data_ptr()
    assert sorted(flat(weight).tolist()) == sorted(weight.flatten().tolist())
    strided = joined([weight, torch.ones(3, dtype=torch.bfloat16)], 5)
    assert (strided.dtype, strided.shape) == (torch.float32, (58 + 1,))
