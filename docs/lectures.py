"""Measures the lectures' own numbers with our hooks, and writes them beside the lectures' into docs/lectures.md.

    python docs/lectures.py

It takes a minute or two. A test measures again and holds each number to the lecture's.
"""

from __future__ import annotations

import math
import re
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from lecture_judgements import quadrants, random_search
from lecture_rows import Row, Table
from torch import Tensor, nn

import trainhealth
from trainhealth.recipes.lectures import OPTIMIZING, REGULARIZATION, TRAINING_NETWORKS
from trainhealth.recipes.lectures import UNDER_AND_OVERFITTING as UNDER
from trainhealth.series import RunView

DOCUMENT = Path(__file__).parent / "lectures.md"
SEEDS = 8
ERRORS = 4  # standard deviations of one draw, as our draws show them, that a lecture's number may be off
_TABLES = re.compile(r"(<!-- tables: begin -->\n).*?(<!-- tables: end -->)", re.DOTALL)


def watched(net: nn.Module, inputs: Tensor) -> RunView:
    """Return what the hooks see in one forward and backward pass."""
    with tempfile.TemporaryDirectory() as folder:
        with trainhealth.watch(net, None, run_dir=folder) as watch:
            loss = net(inputs).sum()
            loss.backward()
            watch.step(loss)
        return trainhealth.load(folder).view


def first_sample(run: RunView, signal: str) -> list[float]:
    """Return a signal of the activation functions (the whole chain, where there are none) at step 0, in order."""
    columns = run.columns(signal)
    pairs = [(p, float(v)) for p, v in zip(columns.places, columns.values[0], strict=True)]
    activations = [value for place, value in pairs if "/" in place]
    return activations or [value for _, value in pairs]


def chain(depth: int, width: int, activation: type[nn.Module] | None, draw: Callable[[Tensor], object]) -> nn.Module:
    """Return square layers whose weights are drawn in place by `draw`; only the first layer's bias is trained."""
    layers: list[nn.Module] = []
    for number in range(depth):
        linear = nn.Linear(width, width, bias=number == 0)
        linear.weight.requires_grad_(False)
        draw(linear.weight)
        if number == 0:
            nn.init.zeros_(linear.bias)
        layers += [linear] if activation is None else [linear, activation()]
    return nn.Sequential(*layers)


def normal(std: float) -> Callable[[Tensor], object]:
    """Return a function that draws weights from a normal distribution."""
    return lambda weight: nn.init.normal_(weight, std=std)


# --- standard deviations layer by layer ---

TEN_LAYERS = {  # printed by the lecture, layers 1 to 10
    "tanh, 0.01 randn": "0.213081 0.047551 0.010630 0.002378 0.000532 0.000119 0.000026 0.000006 0.000001 0.000000",
    "tanh, 1.0 randn": "0.981879 0.981649 0.981601 0.981755 0.981614 0.981560 0.981520 0.981913 0.981728 0.981736",
    "tanh, Xavier": "0.627953 0.486051 0.407723 0.357108 0.320917 0.292116 0.273387 0.254935 0.239266 0.228008",
    "ReLU, Xavier": "0.582273 0.403795 0.276912 0.198685 0.140299 0.103280 0.072748 0.051572 0.038583 0.026076",
    "ReLU, He": "0.825232 0.827835 0.813855 0.826902 0.834092 0.860035 0.870610 0.889348 0.845357 0.844523",
}
_WEIGHTS = {"0.01 randn": 0.01, "1.0 randn": 1.0, "Xavier": 500**-0.5, "He": (2 / 500) ** 0.5}


def ten_layers(kind: str) -> Table:
    """Ten layers of 500 units on 1,000 normal inputs: the standard deviation of each layer's activations."""
    name, weights = kind.split(", ")
    activation = nn.Tanh if name == "tanh" else nn.ReLU
    draws = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        net = chain(10, 500, activation, normal(_WEIGHTS[weights]))
        draws.append(first_sample(watched(net, torch.randn(1000, 500)), "activation_std"))
    rows = []
    for layer, (printed, ours) in enumerate(zip(TEN_LAYERS[kind].split(), np.transpose(draws), strict=True), 1):
        error = ERRORS * max(statistics.stdev(ours), 1e-3 * ours.mean()) + 0.5e-6  # and the rounding in print
        rows.append(Row(f"layer {layer}", printed, ours.mean(), float(printed) - error, float(printed) + error))
    return Table(f"Ten layers of 500: {kind}", TRAINING_NETWORKS, f"`activation_std`, mean of {SEEDS} draws", rows)


def six_layers() -> Table:
    """Six layers of 4,096 units on 16 inputs: what the lecture's histograms show."""
    cases = (
        ("tanh, 0.01 randn", "tend to zero", nn.Tanh, 0.01, "activation_std", 0.0, 0.1),
        ("tanh, 0.05 randn", "saturate", nn.Tanh, 0.05, "activation_std", 0.8, 1.0),
        ("tanh, Xavier", "just right", nn.Tanh, 4096**-0.5, "activation_std", 0.2, 0.7),
        ("ReLU, Xavier", "collapse to zero again", nn.ReLU, 4096**-0.5, "activation_std", 0.0, 0.15),
        ("ReLU, He", "just right", nn.ReLU, (2 / 4096) ** 0.5, "activation_std", 0.6, 1.1),
    )
    rows = []
    for kind, seen, activation, std, signal, low, high in cases:
        torch.manual_seed(0)
        run = watched(chain(6, 4096, activation, normal(std)), torch.randn(16, 4096))
        rows.append(Row(f"{kind}: `{signal}` of the last layer", seen, first_sample(run, signal)[-1], low, high))
    return Table("Six layers of 4,096", REGULARIZATION, "one draw each; the lecture shows histograms", rows)


# --- a hundred products ---


def products() -> Table:
    """A hundred layers of 512 units without bias: overflow, nothing, or about one."""
    rows = []
    randn, uniform = (_first_overflow(draw) for draw in (normal(1.0), lambda w: nn.init.uniform_(w, -1, 1)))
    rows.append(Row("randn: first layer that overflows", "about 28", randn, 27, 30))
    rows.append(Row("uniform(-1, 1): first layer that overflows", "overflows", uniform, 33, 37))
    small = _stds(None, normal(0.01), 0)
    rows.append(Row("0.01 randn: first layer that prints as 0", "about 11", _first_zero(small), 9, 13))
    relu = _stds(nn.ReLU, nn.init.xavier_normal_, 0)
    rows.append(Row("Xavier, ReLU: first layer that prints as 0", "about 43", _first_zero(relu), 36, 46))
    for name, activation, draw, lecture in (
        ("Xavier", None, nn.init.xavier_normal_, 0.88),
        ("Kaiming, ReLU", nn.ReLU, nn.init.kaiming_normal_, 0.85),
    ):
        middles = [statistics.median(_stds(activation, draw, seed, depth=20)) for seed in range(20)]
        error = ERRORS * statistics.stdev(middles)  # the lecture's is one draw of a random walk
        row = (f"{name}: median of layers 1 to 20", f"{lecture}", statistics.median(middles))
        rows.append(Row(*row, lecture - error, lecture + error))
    measured = "`activation_std` and `activation_nonfinite` of a chain of layers; the last two: medians of 20 draws"
    return Table("A hundred products of 512 x 512 matrices", UNDER, measured, rows)


def _stds(
    activation: type[nn.Module] | None, draw: Callable[[Tensor], object], seed: int, depth: int = 100
) -> list[float]:
    torch.manual_seed(seed)
    return first_sample(watched(chain(depth, 512, activation, draw), torch.randn(1, 512)), "activation_std")


def _first_overflow(draw: Callable[[Tensor], object]) -> int:
    torch.manual_seed(0)
    nonfinite = first_sample(watched(chain(100, 512, None, draw), torch.randn(64, 512)), "activation_nonfinite")
    return 1 + next(layer for layer, count in enumerate(nonfinite) if count > 0)


def _first_zero(stds: list[float]) -> int:
    return 1 + next(layer for layer, std in enumerate(stds) if f"{std:.6f}" == "0.000000")


# --- babysitting ---


def pictures() -> tuple[Tensor, Tensor]:
    """Return 1,000 generated pictures of ten classes with the size and scale of CIFAR-10's, which can't be had here."""
    random = torch.Generator().manual_seed(0)
    templates = torch.randn(10, 3, 4, 4, generator=random).repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    labels = torch.arange(1000) % 10
    brightness = torch.randn(1000, 1, generator=random)  # natural pictures differ most in it: a steep direction
    noise = torch.randn(1000, 3072, generator=random)
    return 40 * templates.flatten(1)[labels] + 30 * noise + 60 * brightness, labels


def two_layer_net() -> nn.Sequential:
    """Return the lecture's net, 3072-50-10, with its small weights."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3072, 50), nn.ReLU(), nn.Linear(50, 10))
    for layer in linear_layers(net):
        nn.init.normal_(layer.weight, std=1e-4)
        nn.init.zeros_(layer.bias)
    return net


def linear_layers(net: nn.Module) -> list[nn.Linear]:
    """Return the linear layers in order."""
    return [layer for layer in net.modules() if isinstance(layer, nn.Linear)]


def babysit(rate: float, penalty: float = 1e-6, epochs: int = 10) -> tuple[np.ndarray, list[float]]:
    """Return the losses that the hooks logged, and the training accuracy after each epoch."""
    inputs, targets = pictures()
    net = two_layer_net()
    accuracies: list[float] = []
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    with tempfile.TemporaryDirectory() as folder:
        with trainhealth.watch(net, optimizer, run_dir=folder) as watch:
            for _ in range(epochs):
                for batch in torch.randperm(1000).chunk(50):
                    weights = torch.stack([layer.weight.square().sum() for layer in linear_layers(net)]).sum()
                    loss = nn.functional.cross_entropy(net(inputs[batch]), targets[batch]) + penalty / 2 * weights
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    watch.step(loss)
                accuracies.append(float((net(inputs).argmax(dim=1) == targets).float().mean()))
        return trainhealth.load(folder).view.series("train_loss").values, accuracies


def babysitting() -> Table:
    """The initial loss, regularization, and three rates."""
    losses, accuracies = babysit(1e-6)
    first, last = accuracies[0], accuracies[-1]
    strong, _ = babysit(1e-6, penalty=1e3, epochs=1)
    high, _ = babysit(3e-3)
    right, _ = babysit(1e-4)
    exploded = next(step for step, loss in enumerate(high) if not loss <= 3 * high[0])
    rows = [
        Row("initial loss, ten classes", "log 10 = 2.302585", losses[0], 2.3015, 2.3035),
        Row("initial loss with a penalty of 1e3", "goes up", strong[0], 2.5, 4.0),
        Row("rate 1e-6: loss of the last epoch", "2.302420, barely changing", losses[-50:].mean(), 2.29, 2.302585),
        Row("rate 1e-6: accuracy after epoch 1", "0.08", first, 0.0, 0.3),
        Row("rate 1e-6: accuracy after epoch 10", "0.19, rising all the same", last, 1.5 * first, 1.0),
        Row("rate 3e-3: first epoch with a loss above 3 x the first", "5 (inf)", 1 + exploded // 50, 1, 5),
        Row("rate 1e-4, between them: last loss", "goes down", right[-1], 0.0, 1.0),
    ]
    return Table(
        "Babysitting a net of 3072-50-10",
        f"{TRAINING_NETWORKS}; {OPTIMIZING}",
        "`train_loss`, on 1,000 generated pictures in place of CIFAR-10: the conclusions, not the digits",
        rows,
    )


# --- single numbers ---


def update_ratio() -> Table:
    """An update of norm 0.0002 on a parameter of norm 0.02."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 0.02)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.0002)
    with tempfile.TemporaryDirectory() as folder:
        with trainhealth.watch(net, optimizer, run_dir=folder) as watch:
            loss = net(torch.ones(1, 1)).sum()  # its gradient is 1
            loss.backward()
            optimizer.step()
            watch.step(loss)
        ratio = float(trainhealth.load(folder).view.columns("update_ratio").values[0, 0])
    rows = [Row("0.0002 / 0.02", "0.01 (about okay)", ratio, 0.00999, 0.01001)]
    return Table("Size of updates against weights", f"{TRAINING_NETWORKS}; {OPTIMIZING}", "`update_ratio`", rows)


def standard_error() -> Table:
    """The scatter of the loss over batches, with 16 and with 1,600 examples."""
    spreads = []
    for size in (16, 1600):
        torch.manual_seed(0)
        net = nn.Linear(4, 1)
        with tempfile.TemporaryDirectory() as folder:
            with trainhealth.watch(net, None, run_dir=folder) as watch:
                for _ in range(400):
                    loss = (net(torch.randn(size, 4)) - torch.randn(size, 1)).square().mean()
                    watch.step(loss)
            spreads.append(trainhealth.load(folder).view.series("train_loss").values.std())
    error = ERRORS * 10 / math.sqrt(400)  # of a ratio of two standard deviations, each from 400 values
    ratio = float(spreads[0] / spreads[1])
    rows = [Row("noise of a batch / of one of 100 times the size", "10", ratio, 10 - error, 10 + error)]
    measured = "scatter of `train_loss` over 400 batches of 16 and of 1,600"
    return Table("The standard error of a mean, sigma / sqrt(n)", UNDER, measured, rows)


def linear_decay() -> Table:
    """eps_k = (1 - a) eps_0 + a eps_tau with a = min(1, k / tau) and eps_tau = eps_0 / 100."""
    net = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.01, total_iters=100)
    with tempfile.TemporaryDirectory() as folder:
        with trainhealth.watch(net, optimizer, run_dir=folder) as watch:
            for _ in range(151):
                loss = net(torch.ones(1, 1)).square().sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
                schedule.step()
        logged = trainhealth.load(folder).view.series("learning_rate")
    rows = []
    for step in (0, 50, 100, 150):
        share = min(1.0, step / 100)
        formula = (1 - share) * 0.1 + share * 0.001
        ours = float(logged.values[np.searchsorted(logged.steps, step, side="right") - 1])
        rows.append(Row(f"k = {step}, tau = 100", f"{formula:.4f}", ours, 0.9999 * formula, 1.0001 * formula))
    return Table("Linear decay to one per cent", UNDER, "`learning_rate` under torch's LinearLR", rows)


TABLES: dict[str, Callable[[], Table]] = {
    **{kind: partial(ten_layers, kind) for kind in TEN_LAYERS},
    "six layers": six_layers,
    "products": products,
    "babysitting": babysitting,
    "update ratio": update_ratio,
    "standard error": standard_error,
    "linear decay": linear_decay,
    "quadrants": quadrants,
    "random search": random_search,
}


def written(table: Table) -> str:
    """Return a table as Markdown."""
    rows = "\n".join(f"| {row.what} | {row.lecture} | {row.ours:.6g} |" for row in table.rows)
    head = f"## {table.title}\n\n{table.lecture}. Ours: {table.measured}."
    return f"{head}\n\n| | lecture | ours |\n|---|---|---|\n{rows}\n"


def tables() -> Iterator[Table]:
    """Measure everything."""
    for measure in TABLES.values():
        yield measure()


def main() -> None:
    """Write docs/lectures.md."""
    torch.set_num_threads(1)
    text = "\n".join(written(table) for table in tables())
    DOCUMENT.write_text(_TABLES.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", DOCUMENT.read_text()))


if __name__ == "__main__":
    main()
