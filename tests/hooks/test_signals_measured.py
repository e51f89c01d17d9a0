"""Every statistic of a sampled step, computed a second, naive way."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.probes.base import LARGEST
from trainhealth.hooks.probes.dead_units import BATCHES, EXAMPLES
from trainhealth.series import RunView


class Net(nn.Module):
    """Keeps what the probes should have seen."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc, self.out = nn.Conv2d(1, 3, 3), nn.Linear(3 * 36, 5), nn.Linear(5, 2)
        self.seen: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.seen["conv"] = self.conv(x)
        self.seen["conv/relu"] = F.relu(self.seen["conv"])
        self.seen["fc"] = self.fc(self.seen["conv/relu"].flatten(1))
        self.seen["fc/tanh"] = self.seen["fc"].tanh()
        self.seen["out"] = self.out(self.seen["fc/tanh"])
        return self.seen["out"]


@pytest.fixture(scope="module")
def one_step(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunView, dict[str, Any]]:
    """A run of one step, and everything needed to compute its statistics again."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("runs") / "run"
    net = Net()
    nn.init.normal_(net.fc.weight, std=1.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3, weight_decay=0.1)
    x, y = torch.randn(7, 1, 8, 8) * 2 + 1, torch.randint(0, 2, (7,))
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    with trainhealth.watch(net, optimizer, run_dir=folder) as watch:
        outputs = net(x)
        seen = {name: value.detach().clone() for name, value in net.seen.items()}
        loss = F.cross_entropy(outputs, y)
        loss.backward()
        gradients = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1e-3)
        optimizer.step()
        watch.step(loss, outputs=outputs, targets=y)
    after = {name: p.detach().clone() for name, p in net.named_parameters()}
    facts = {"x": x, "y": y, "seen": seen, "loss": loss.item(), "gradients": gradients}
    return trainhealth.load(folder).view, {**facts, "before": before, "after": after, "outputs": outputs.detach()}


def values(view: RunView, signal: str) -> dict[str, float]:
    columns = view.columns(signal)
    assert columns.steps.tolist() == [0]
    return {place: float(v) for place, v in zip(columns.places, columns.values[0], strict=True) if not np.isnan(v)}


NAIVE = {
    "activation_mean": lambda a: a.mean(),
    "activation_std": lambda a: a.std(),
    "example_std": lambda a: np.sqrt(a.var(axis=0).mean()),
    "activation_maximum": lambda a: np.abs(a).max(),
    "zero_fraction": lambda a: (a == 0).mean(),
    "activation_nonfinite": lambda a: float((~np.isfinite(a)).sum()),
}


@pytest.mark.parametrize("signal", NAIVE)
def test_activation_statistics(one_step: tuple[RunView, dict[str, Any]], signal: str) -> None:
    """Each statistic of each layer equals numpy's of the same output, to the digits that are logged."""
    view, facts = one_step
    expected = {name: float(NAIVE[signal](value.numpy().astype(float))) for name, value in facts["seen"].items()}
    assert values(view, signal) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_saturated_fraction(one_step: tuple[RunView, dict[str, Any]]) -> None:
    """A tanh output is saturated within 0.02 of -1 or 1; a ReLU has no such thing."""
    view, facts = one_step
    expected = float((facts["seen"]["fc/tanh"].abs() > 0.98).float().mean())
    assert values(view, "saturated_fraction") == {"fc/tanh": pytest.approx(expected, rel=1e-4)}
    assert 0 < expected < 1


def test_gradient_norms_are_those_before_clipping(one_step: tuple[RunView, dict[str, Any]]) -> None:
    """The norm of each gradient is taken before the script clips it."""
    view, facts = one_step
    expected = {name: math.sqrt(float((g.double() ** 2).sum())) for name, g in facts["gradients"].items()}
    assert values(view, "parameter_gradient_norm") == pytest.approx(expected, rel=1e-4)
    assert set(values(view, "gradient_nonfinite").values()) == {0.0}
    whole = math.sqrt(sum(norm**2 for norm in expected.values()))
    assert view.series("gradient_norm").values.tolist() == [pytest.approx(whole, rel=1e-4)]


def test_update_ratios(one_step: tuple[RunView, dict[str, Any]]) -> None:
    """The update ratio is the norm of what the optimizer really did over the norm of the parameter before."""
    view, facts = one_step
    before, after = facts["before"], facts["after"]
    expected = {name: float((after[name] - before[name]).norm() / before[name].norm()) for name in before}
    assert values(view, "update_ratio") == pytest.approx(expected, rel=1e-3)
    assert values(view, "parameter_norm") == pytest.approx({n: float(after[n].norm()) for n in after}, rel=1e-4)


def test_inputs(one_step: tuple[RunView, dict[str, Any]]) -> None:
    """The batch that entered is described by its moments and range."""
    view, facts = one_step
    x = facts["x"].numpy()
    seen = {name: float(view.columns(f"input_{name}").values[0, 0]) for name in ("mean", "std", "minimum", "maximum")}
    expected = {"mean": x.mean(), "std": x.std(), "minimum": x.min(), "maximum": x.max()}
    assert seen == pytest.approx(expected, rel=1e-4)


def test_scalars_and_facts(one_step: tuple[RunView, dict[str, Any]]) -> None:
    """Loss, accuracy, rate and batch size stand in the step's record; task and classes are found out."""
    view, facts = one_step
    assert view.series("train_loss").values.tolist() == [pytest.approx(facts["loss"], rel=1e-8)]
    right = (facts["outputs"].argmax(1) == facts["y"]).float().mean()
    assert view.series("train_accuracy").values.tolist() == [pytest.approx(float(right))]
    assert view.series("learning_rate").values.tolist() == [0.3]
    assert view.series("batch_size").values.tolist() == [7]
    assert view.facts["loss_function"] == "cross_entropy"
    assert view.facts["loss_reduction"] == "mean"
    assert (view.facts["task"], view.facts["classes"]) == ("classification", 2)


def test_nonfinite_elements_are_counted(tmp_path: Path) -> None:
    """NaN and infinity are counted element by element in inputs, activations, gradients and parameters."""
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(5, 4)
    x[2, 1], x[3, 0] = math.nan, math.inf
    with trainhealth.watch(net, optimizer, run_dir=tmp_path / "run") as watch:
        loss = net(x).sum()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    view = trainhealth.load(tmp_path / "run").view
    assert values(view, "input_nonfinite") == {"batch": 2.0}
    assert values(view, "activation_nonfinite")["0"] >= 3
    assert values(view, "gradient_nonfinite")["0.weight"] > 0
    assert values(view, "parameter_nonfinite")["0.weight"] > 0
    assert math.isnan(view.series("gradient_norm").values[0])
    assert math.isnan(view.series("train_loss").values[0])


def test_a_finite_half_precision_norm_does_not_overflow(tmp_path: Path) -> None:
    """Norms of half-precision gradients are taken in float32: in float16 this one would be infinite."""
    net = nn.Linear(1000, 1000, bias=False).to(torch.bfloat16)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6)
    with trainhealth.watch(net, optimizer, run_dir=tmp_path / "run") as watch:
        loss = net(torch.full((64, 1000), 100.0, dtype=torch.bfloat16)).float().sum()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    norm = values(trainhealth.load(tmp_path / "run").view, "parameter_gradient_norm")["weight"]
    assert norm == pytest.approx(6400.0 * 1000, rel=0.01)


def test_a_parameter_of_norm_zero_has_no_update_ratio(tmp_path: Path) -> None:
    """x / 0 is no measurement: the column has no value there."""
    net = nn.Linear(3, 2)
    nn.init.zeros_(net.bias)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with trainhealth.watch(net, optimizer, run_dir=tmp_path / "run") as watch:
        loss = net(torch.ones(2, 3)).sum()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert set(values(trainhealth.load(tmp_path / "run").view, "update_ratio")) == {"weight"}


def test_large_activations_are_strided_without_bias(tmp_path: Path) -> None:
    """Moments of a very large output come from a part of it that passes over no unit, and the sample says so."""
    net = nn.Sequential(nn.Linear(2, 64), nn.ReLU())
    with torch.no_grad():
        net[0].bias[:] = torch.arange(64.0)  # a stride that always meets the same units would be far off
    x = torch.randn(LARGEST // 16, 2)
    x[-1] = math.nan
    with trainhealth.watch(net, None, run_dir=tmp_path / "run") as watch:
        loss = net(x).mean()
        loss.backward()
        watch.step(loss)
    view = trainhealth.load(tmp_path / "run").view
    exact = net(x).detach()[:-1]
    assert values(view, "activation_nonfinite")["0/relu"] == 64.0  # counted in all of it
    x[-1] = 0.0
    with trainhealth.watch(net, None, run_dir=tmp_path / "finite") as watch:
        loss = net(x).mean()
        loss.backward()
        watch.step(loss)
    view = trainhealth.load(tmp_path / "finite").view
    assert values(view, "activation_mean")["0/relu"] == pytest.approx(float(exact.mean()), rel=0.01)
    assert '"thinned":["0","0/relu"]' in (tmp_path / "finite" / "events-0.jsonl").read_text()


@pytest.mark.parametrize("active_share", [0.0, 0.002, 1.0])
def test_a_unit_is_dead_only_over_a_window_of_data(tmp_path: Path, active_share: float) -> None:
    """A unit that fires on one example in 500 is alive; one that never fires in a whole window is dead."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 4), nn.ReLU())
    with torch.no_grad():
        net[0].weight[:] = torch.tensor([[1.0], [1.0], [1.0], [-1.0]])
        net[0].bias[:] = 0.0
    batch = 500
    batches = max(BATCHES, -(-EXAMPLES // batch))
    with trainhealth.watch(net, None, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(batches):
            x = torch.full((batch, 1), -1.0)
            x[: round(active_share * batch)] = 1.0
            loss = net(x).sum()
            loss.backward()
            watch.step(loss)
    view = trainhealth.load(tmp_path / "run").view
    dead = view.columns("dead_fraction").place("0/relu")
    assert dead.steps.tolist() == [batches - 1]
    assert dead.values.tolist() == [{0.0: 0.75, 0.002: 0.0, 1.0: 0.25}[active_share]]
    assert view.dead_window["examples"].values.tolist() == [batches * batch]
    assert view.layer("0/relu").fed_by == "0"


def test_units_follow_the_layer_that_feeds_the_function(tmp_path: Path) -> None:
    """After a convolution units are channels, after a linear layer features, also where the function is shared."""
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv1d(2, 3, 3), relu, nn.BatchNorm1d(3), relu, nn.Flatten(), nn.Linear(18, 5), relu)
    with trainhealth.watch(net, None, run_dir=tmp_path / "run") as watch:
        loss = net(torch.randn(4, 2, 8)).sum()
        loss.backward()
        watch.step(loss)
    layout = {entry.name: (entry.unit_axis, entry.units) for entry in trainhealth.load(tmp_path / "run").view.layers}
    assert layout == {
        "0": (1, 3),
        "0/relu": (1, 3),
        "2": (1, 3),
        "2/relu": (1, 3),
        "5": (-1, 5),
        "5/relu": (-1, 5),
    }


def test_the_tanh_table_of_the_lecture(tmp_path: Path) -> None:
    """Tanh layers of 500 units with weights 0.01 randn: the hooks measure the standard deviations of lecture Tr1."""
    lecture = [0.213, 0.0476, 0.0106, 0.00238, 0.000532, 0.000119, 2.6e-5, 6e-6, 1e-6]
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in lecture:
        linear = nn.Linear(500, 500, bias=False)
        nn.init.normal_(linear.weight, std=0.01)
        layers += [linear, nn.Tanh()]
    net = nn.Sequential(*layers)
    with trainhealth.watch(net, None, run_dir=tmp_path / "run") as watch:
        loss = net(torch.randn(1000, 500)).sum()
        loss.backward()
        watch.step(loss)
    measured = values(trainhealth.load(tmp_path / "run").view, "activation_std")
    stds = [measured[f"{2 * i}/tanh"] for i in range(len(lecture))]
    assert stds == pytest.approx(lecture, rel=0.5)  # the last of the lecture's numbers have one digit
    assert stds[:6] == pytest.approx(lecture[:6], rel=0.05)


@pytest.mark.parametrize("unscale", [False, True])
def test_gradient_norms_under_a_loss_scaler_are_the_true_ones(tmp_path: Path, unscale: bool) -> None:
    """The scaler's factor is taken out, whether or not the script unscales before it clips."""

    def norms(scale: float, run_dir: Path) -> dict[str, float]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        with trainhealth.watch(net, optimizer, run_dir=run_dir) as watch:
            loss = net(torch.randn(5, 4)).square().mean()
            scaler.scale(loss).backward()
            if unscale:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(net.parameters(), 1e-3)
            scaler.step(optimizer)
            scaler.update()
            watch.step(loss)
        return values(trainhealth.load(run_dir).view, "parameter_gradient_norm")

    assert norms(65536.0, tmp_path / "scaled") == pytest.approx(norms(1.0, tmp_path / "plain"), rel=1e-4)
