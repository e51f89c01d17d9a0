"""Signals of weights and optimizer state, each computed a second, naive way."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import nn

import trainhealth
from tests.hooks.zoo import awkward_parameters
from trainhealth.hooks.probes.equal_units import UNITS, WIDTH
from trainhealth.hooks.probes.weights import LARGEST_WEIGHT
from trainhealth.series import RunView


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def trained(model: nn.Module, optimizer: torch.optim.Optimizer | None, folder: Path, steps: int = 1) -> RunView:
    """Train with a rate that changes after each update, watched; return the run."""
    watch = trainhealth.watch(model, optimizer, run_dir=folder / "run", overhead=1.0)
    width = next(module.in_features for module in model.modules() if isinstance(module, nn.Linear))
    for _ in range(steps):
        model.zero_grad()
        loss = F.cross_entropy(model(torch.randn(5, width)), torch.randint(0, 3, (5,)))
        loss.backward()
        if optimizer is not None:
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= 0.5  # as a scheduler does, before `step`
        watch.step(loss)
    watch.close()
    run = trainhealth.load(folder / "run").view
    assert not [event for event in run.events if event.event.endswith("disabled")]
    return run


def values(run: RunView, signal: str, step: int) -> dict[str, float]:
    columns = run.columns(signal)
    row = columns.values[columns.steps.tolist().index(step)]
    return {place: float(v) for place, v in zip(columns.places, row, strict=True) if not np.isnan(v)}


# --- weights ---------------------------------------------------------------------------------------------------------


def test_weights_before_the_update(tmp_path: Path) -> None:
    """Mean and standard deviation of matrices, as they were before the step; vectors have none."""
    model = net()
    before = {name: p.detach().double().numpy().copy() for name, p in model.named_parameters() if p.dim() > 1}
    run = trained(model, torch.optim.SGD(model.parameters(), lr=1.0), tmp_path)
    assert values(run, "weight_mean", 0) == pytest.approx({n: w.mean() for n, w in before.items()}, rel=1e-3, abs=1e-7)
    assert values(run, "weight_std", 0) == pytest.approx({n: w.std() for n, w in before.items()}, rel=1e-4)


def test_weights_are_looked_at_when_steps_have_doubled(tmp_path: Path) -> None:
    """They change slowly: steps 0, 1, 2, 4, 8, … tell enough."""
    model = net()
    run = trained(model, torch.optim.SGD(model.parameters(), lr=0.1), tmp_path, steps=10)
    assert run.columns("weight_std").place("0.weight").finite().steps.tolist() == [0, 1, 2, 4, 8]
    assert run.columns("parameter_norm").steps.tolist() == list(range(10))


def test_a_large_weight_is_sampled(tmp_path: Path) -> None:
    """Of a large weight a part is looked at that has something of every row and column."""
    model = nn.Linear(300, 1000, bias=False)
    with torch.no_grad():  # half of the columns are constant, and half of the rows far off
        model.weight[:, ::2] = 0.0
        model.weight[::2] += 1.0
    assert model.weight.numel() > 10 * LARGEST_WEIGHT
    before = model.weight.detach().double().numpy().copy()
    run = trained(model, None, tmp_path)
    assert values(run, "weight_mean", 0)["weight"] == pytest.approx(before.mean(), rel=0.02)
    assert values(run, "weight_std", 0)["weight"] == pytest.approx(before.std(), rel=0.02)


# --- equal units -----------------------------------------------------------------------------------------------------


def twins(model: nn.Module, folder: Path) -> dict[str, float]:
    return values(trained(model, torch.optim.SGD(model.parameters(), lr=0.1), folder), "equal_units", 0)


def test_ordinary_units_have_no_twin(tmp_path: Path) -> None:
    """Random weights differ."""
    assert twins(net(), tmp_path) == {"0.weight": 0.0, "2.weight": 0.0}


def test_units_of_a_constant_initialisation_are_equal(tmp_path: Path) -> None:
    """Equal weights in and out give equal gradients; the outputs have gradients of their own."""
    model = net()
    nn.init.constant_(model[0].weight, 0.3)
    nn.init.constant_(model[2].weight, 0.2)
    nn.init.zeros_(model[0].bias)
    assert twins(model, tmp_path) == {"0.weight": 1.0, "2.weight": 0.0}


def test_equal_weights_with_different_gradients_are_not_equal(tmp_path: Path) -> None:
    """Zeros before a random layer (as many residual blocks begin) are healthy: the first update sets them apart."""
    model = net()
    nn.init.zeros_(model[0].weight)
    assert twins(model, tmp_path) == {"0.weight": 0.0, "2.weight": 0.0}


def test_pairs_of_twins_are_counted(tmp_path: Path) -> None:
    """Two of eight units with the same weights on both sides are a quarter; units that nearly agree are none."""
    model = net()
    with torch.no_grad():
        for layer, axis in ((model[0], 0), (model[2], 1)):
            layer.weight.select(axis, 5).copy_(layer.weight.select(axis, 1))
            layer.weight.select(axis, 6).copy_(layer.weight.select(axis, 2) * (1 + 1e-4))
        model[0].bias[5], model[0].bias[6] = model[0].bias[1].clone(), model[0].bias[2].clone()
    assert twins(model, tmp_path) == {"0.weight": 0.25, "2.weight": 0.0}


def test_units_that_differ_in_one_weight_are_not_equal(tmp_path: Path) -> None:
    """The rows of an identity matrix differ in two places only."""
    model = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 3))
    nn.init.eye_(model[0].weight)
    assert twins(model, tmp_path)["0.weight"] == 0.0


def test_equal_units_of_a_wide_layer(tmp_path: Path) -> None:
    """A part of a wide layer is looked at: all equal or none is seen in it as well."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(WIDTH + 100, UNITS + 100, bias=False), nn.Linear(UNITS + 100, 3))
    assert twins(model, tmp_path / "random")["0.weight"] == 0.0
    nn.init.constant_(model[0].weight, 0.01)
    nn.init.constant_(model[1].weight, 0.02)
    assert twins(model, tmp_path / "constant")["0.weight"] == 1.0


def test_the_random_state_stays_as_it_was(tmp_path: Path) -> None:
    """The projections are random, the user's random numbers are not ours."""
    model = net()
    watch = trainhealth.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), run_dir=tmp_path / "run")
    state = torch.get_rng_state()
    model(torch.ones(2, 4)).sum().backward()
    assert torch.equal(torch.get_rng_state(), state)
    watch.close()


# --- optimizer state -------------------------------------------------------------------------------------------------


def bias_corrected(state: dict[str, Any], group: dict[str, Any], name: str = "exp_avg_sq") -> np.ndarray:
    return state[name].double().numpy() / (1 - group["betas"][1] ** float(state["step"]))


def adam(state: dict[str, Any], group: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    v = bias_corrected(state, group, "max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq")
    return v, 1 / (np.sqrt(v) + group["eps"])


def nadam(state: dict[str, Any], group: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    v = bias_corrected(state, group)
    return v, 1 / (np.sqrt(v) + group["eps"])


def radam(state: dict[str, Any], group: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    v, t, beta = bias_corrected(state, group), float(state["step"]), group["betas"][1]
    longest = 2 / (1 - beta) - 1
    length = longest - 2 * t * beta**t / (1 - beta**t)
    if length <= 5:
        return v, np.ones_like(v)
    rectification = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    return v, math.sqrt(rectification) / np.sqrt(v)


def rmsprop(state: dict[str, Any], group: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    v = state["square_avg"].double().numpy()
    centre = state["grad_avg"].double().numpy() if group["centered"] else 0.0
    rates = 1 / (np.sqrt(np.maximum(v - centre**2, 0)) + group["eps"])
    return v / (1 - group["alpha"] ** float(state["step"])), rates


def adagrad(state: dict[str, Any], group: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    total, t = state["sum"].double().numpy(), float(state["step"])
    return total / t, 1 / (1 + (t - 1) * group["lr_decay"]) / (np.sqrt(total) + group["eps"])


OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any], Callable[..., Any]]] = {
    "Adam": (torch.optim.Adam, {"eps": 1e-4}, adam),
    "Adam, AMSGrad": (torch.optim.Adam, {"amsgrad": True, "betas": (0.9, 0.5)}, adam),
    "Adam, fused": (torch.optim.Adam, {"fused": True}, adam),
    "AdamW, foreach": (torch.optim.AdamW, {"foreach": True}, adam),
    "AdamW, rate in a tensor": (torch.optim.AdamW, {"lr": torch.tensor(0.01)}, adam),
    "NAdam": (torch.optim.NAdam, {}, nadam),
    "RAdam": (torch.optim.RAdam, {}, radam),
    "RMSprop": (torch.optim.RMSprop, {}, rmsprop),
    "RMSprop, centred": (torch.optim.RMSprop, {"centered": True, "momentum": 0.9}, rmsprop),
    "Adagrad": (torch.optim.Adagrad, {"lr_decay": 0.1, "initial_accumulator_value": 0.1}, adagrad),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_adaptive_optimizer_remembers(tmp_path: Path, name: str) -> None:
    """Both signals are those of the optimizer's own state after the update, at the rate that the update used."""
    kind, settings, naive = OPTIMIZERS[name]
    model = net()
    optimizer = kind(model.parameters(), **{"lr": 0.01, **settings})
    rate = float(optimizer.param_groups[0]["lr"])
    steps = 8
    run = trained(model, optimizer, tmp_path, steps)
    second, effective = {}, {}
    for place, parameter in model.named_parameters():
        v, scale = naive(optimizer.state[parameter], optimizer.param_groups[0])
        second[place] = math.sqrt(v.mean())
        middle = np.sort(scale.ravel())[scale.size // 2]  # of an even number, the upper one
        effective[place] = float(rate * 0.5 ** (steps - 1) * middle)
    assert values(run, "second_moment", steps - 1) == pytest.approx(second, rel=1e-3)
    assert values(run, "effective_learning_rate", steps - 1) == pytest.approx(effective, rel=1e-3)


def test_an_optimizer_without_second_moments_has_no_such_signals(tmp_path: Path) -> None:
    """SGD's momentum is no second moment."""
    model = net()
    run = trained(model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), tmp_path)
    assert not run.has("second_moment")
    assert not run.has("effective_learning_rate")


def test_odd_constants_of_an_optimizer(tmp_path: Path) -> None:
    """No decay, no eps, no gradient: infinity and NaN are numbers in the log, and nothing fails."""
    model = net()
    model[2].bias.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.0), eps=0.0)
    with torch.no_grad():
        model[2].weight.zero_()  # no gradient reaches the first layer
    rates = values(trained(model, optimizer, tmp_path), "effective_learning_rate", 0)
    assert set(rates) == {"0.weight", "0.bias", "2.weight"}
    assert rates["0.weight"] == math.inf


# --- awkward parameters ----------------------------------------------------------------------------------------------


def test_awkward_parameters_break_no_probe(tmp_path: Path) -> None:
    """Every parameter that has the statistic has a finite value, and no probe is switched off."""
    torch.manual_seed(0)
    animal = awkward_parameters()
    model, optimizer = animal.model, animal.optimizer
    run = trained(model, optimizer, tmp_path, steps=3)
    norms = values(run, "parameter_gradient_norm", 2)
    assert set(norms) == {n for n, p in model.named_parameters() if p.grad is not None}
    expected = {n: p.grad.coalesce() if p.grad.is_sparse else p.grad for n, p in model.named_parameters() if n in norms}
    naive = {name: math.sqrt(float((g.to_dense().abs().double() ** 2).sum())) for name, g in expected.items()}
    assert norms == pytest.approx(naive, rel=1e-2)
    whole = math.sqrt(sum(norm**2 for norm in naive.values()))
    assert run.series("clipped_gradient_norm").values[2] == pytest.approx(whole, rel=1e-2)
    assert {"first.weight", "low", "conv.weight", "embedding.weight"} <= set(values(run, "weight_std", 2))
    assert values(run, "equal_units", 2)["conv.weight"] == 0.0
    assert all(math.isfinite(v) for v in values(run, "update_ratio", 2).values())
