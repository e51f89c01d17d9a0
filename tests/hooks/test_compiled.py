"""Compiled code stays as it is: nothing of ours is traced, and its layers are seen in a second forward."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

import trainhealth
from trainhealth.hooks import governor, plain_steps, warning
from trainhealth.series import RunView

# what torch itself warns of while it compiles
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::DeprecationWarning:torch")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    warning._said.clear()
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


class Counting:
    """The `aot_eager` backend, with the number of graphs that it was given."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.graphs += 1
        return aot_eager(graph, inputs)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def train(
    model: Callable[[Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    watch: trainhealth.Watch | None,
    steps: int = 4,
    update: Callable[[], object] | None = None,
) -> list[float]:
    losses = []
    for _ in range(steps):
        loss = model(torch.randn(100, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        (update or optimizer.step)()
        if watch is not None:
            watch.step(loss)
        losses.append(loss.item())
    return losses


def view(watch: trainhealth.Watch) -> RunView:
    watch.close()
    return trainhealth.load(watch.run_dir).view


@pytest.mark.parametrize("order", ["watch(compile)", "compile after watch", "model.compile()"])
def test_a_compiled_model_is_seen_and_trains_the_same(tmp_path: Path, order: str) -> None:
    """Losses, buffers, random state, graphs and graph breaks are those of an unwatched run; layers are measured."""

    def run(order: str) -> tuple[dict[str, Any], RunView | None]:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        backend, model, watch = Counting(), net(), None
        optimizer = sgd(model)
        called: Callable[[Tensor], Tensor] = model
        options: dict[str, Any] = {"run_dir": tmp_path / "run", "overhead": 1.0}
        if order == "compile after watch":
            watch = trainhealth.watch(model, optimizer, **options)
        if order == "model.compile()":
            watch = trainhealth.watch(model, optimizer, **options)
            model.compile(backend=backend)
        else:
            called = torch.compile(model, backend=backend)
        if order == "watch(compile)":
            watch = trainhealth.watch(called, optimizer, **options)  # type: ignore[arg-type]  # typed as a callable
        facts = {
            "losses": train(called, optimizer, watch),
            "graphs": backend.graphs,
            "breaks": sum(torch._dynamo.utils.counters["graph_break"].values()),
            "random state": torch.get_rng_state().tolist(),
            "weights": [value.tolist() for value in model.state_dict().values()],
        }
        return facts, view(watch) if watch is not None else None

    bare, _ = run("bare")
    watched, seen = run(order)
    assert watched == bare
    assert seen is not None
    assert [entry.type for entry in seen.layers] == ["Linear", "relu", "BatchNorm1d", "Linear"]
    for signal in ("activation_std", "parameter_gradient_norm", "update_ratio"):
        assert seen.columns(signal).steps.tolist() == [0, 1, 2, 3], signal


def test_a_second_forward_leaves_no_trace(tmp_path: Path) -> None:
    """Attributes that a forward sets, and the random states of Python and numpy, are as after the first one."""

    class Stateful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(4, 2), 0
            self.hidden: Tensor | None = None

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.hidden = self.layer(x)
            self.new = random.random() + np.random.rand()
            return torch.relu(self.hidden)

    def run(watched: bool) -> tuple[Any, ...]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        model = Stateful()
        optimizer = sgd(model)
        compiled = torch.compile(model, backend="aot_eager")
        watch = trainhealth.watch(compiled, optimizer, run_dir=tmp_path / "run") if watched else None  # type: ignore[arg-type]  # typed as a callable
        losses = train(compiled, optimizer, watch)
        if watch is not None:
            assert view(watch).has("activation_std")
        assert model.hidden is not None
        return losses, model.calls, model.hidden.tolist(), model.new, random.random(), np.random.rand()

    assert run(True) == run(False)


@pytest.mark.parametrize("fullgraph", [False, True])
def test_a_compiled_function_inside_an_eager_forward(tmp_path: Path, fullgraph: bool) -> None:
    """It is never traced with our mode or hooks on: one graph, no break, and all layers are measured all the same."""
    backend = Counting()

    @torch.compile(backend=backend, fullgraph=fullgraph)
    def doubled(layer: nn.Module, x: Tensor) -> Tensor:
        return F.relu(layer(x)) * 2

    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.tanh(doubled(self.second, F.relu(self.first(x)))))

    model = Partly()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    train(model, optimizer, watch)
    assert backend.graphs == 1
    assert not torch._dynamo.utils.counters["graph_break"]
    run = view(watch)
    names = ["first", "first/relu", "second", "second/relu", "second/tanh", "last"]
    assert [entry.name for entry in run.layers] == names
    assert run.columns("activation_std").place("second").steps.tolist() == [0, 1, 2, 3]


def test_a_compiled_update(tmp_path: Path) -> None:
    """A compiled optimizer step has the graphs and breaks that it has without us, and its update is seen."""

    def run(watched: bool) -> tuple[list[float], int, int, RunView | None]:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        backend, model = Counting(), net()
        optimizer = torch.optim.Adam(model.parameters())
        watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) if watched else None
        losses = train(model, optimizer, watch, update=torch.compile(lambda: optimizer.step(), backend=backend))
        breaks = sum(torch._dynamo.utils.counters["graph_break"].values())
        return losses, backend.graphs, breaks, view(watch) if watch is not None else None

    *bare, _ = run(watched=False)
    *watched, seen = run(watched=True)
    assert watched == bare
    assert seen is not None
    assert seen.columns("update_ratio").steps.tolist() == [0, 1, 2, 3]
    assert seen.series("learning_rate").values.tolist() == pytest.approx([1e-3])


@pytest.mark.parametrize("order", ["after", "before"])
@pytest.mark.parametrize("how", ["model.forward", "model.compile()", "compiled update"])
def test_accumulation_where_hooks_are_not_called(tmp_path: Path, how: str, order: str) -> None:
    """Three micro-batches are one step, with the losses that belong together, also if no hook sees the forwards."""
    model = net()
    optimizer = sgd(model)
    update: Callable[[], object] = optimizer.step
    forward: Callable[[Tensor], Tensor] = model.forward if how == "model.forward" else model
    if how == "model.compile()":
        model.compile(backend="aot_eager")
    if how == "compiled update":
        update = torch.compile(lambda: optimizer.step(), backend="aot_eager")
    losses = []
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    for batch in range(12):
        loss = forward(torch.randn(6, 4)).square().mean()
        loss.backward()
        losses.append(loss.item())
        last = batch % 3 == 2
        if last and order == "before":
            watch.step(loss)
        if last:
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)  # changes gradients in place, and is no backward
            update()
            optimizer.zero_grad()
        if not last or order == "after":
            watch.step(loss)
    run = view(watch)
    expected = [sum(losses[i : i + 3]) / 3 for i in range(0, 12, 3)]
    assert run.series("train_loss").values.tolist() == pytest.approx(expected, rel=1e-6)
    assert run.has("parameter_gradient_norm")


def test_a_model_that_cannot_run_twice_says_so(tmp_path: Path) -> None:
    """Hooks of the user's would notice a second forward: there is none, and the log says why layers are missing."""
    calls = []
    model = net()
    model[0].register_forward_hook(lambda *arguments: calls.append(1))
    optimizer = sgd(model)
    compiled = torch.compile(model, backend="eager")
    watch = trainhealth.watch(compiled, optimizer, run_dir=tmp_path / "run", overhead=1.0)  # type: ignore[arg-type]  # typed as a callable
    train(compiled, optimizer, watch)
    assert len(calls) == 4
    run = view(watch)
    assert [event.event for event in run.events if event.event != "facts"] == ["layers-unseen"]
    assert run.has("update_ratio")


def test_scripting_and_tracing_a_watched_model(tmp_path: Path) -> None:
    """`torch.jit` and `torch.export` make of a watched model what they make of a bare one."""
    model = net().eval()
    x = torch.randn(3, 4)
    with trainhealth.watch(model, run_dir=tmp_path / "run"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        for made in (torch.jit.script(model), torch.jit.trace(model, x), torch.export.export(model, (x,)).module()):
            assert torch.equal(made(x), model(x))
        with pytest.raises(AttributeError):
            _ = torch.jit.script(model).no_such_thing


@pytest.mark.parametrize("order", ["watch(compile)", "compile after watch"])
def test_plain_steps_of_compiled_code_stay_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    """Between samples nothing is compiled again, and every step is recorded."""
    monkeypatch.setattr(governor, "ALLOWANCE", 0.0)
    monkeypatch.setattr(plain_steps, "AWAKE", 0)
    trained = {}
    for watched in (False, True):
        torch._dynamo.reset()
        counting, model = Counting(), net()
        optimizer, watch = sgd(model), None
        if watched and order == "compile after watch":
            watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run")
        compiled = torch.compile(model, backend=counting)
        if watched and watch is None:
            watch = trainhealth.watch(compiled, optimizer, run_dir=tmp_path / "run")
        trained[watched] = train(compiled, optimizer, watch, steps=30), counting.graphs
    assert trained[True] == trained[False]
    assert watch is not None
    assert view(watch).series("train_loss").values.tolist() == pytest.approx(trained[True][0], rel=1e-8)


@pytest.mark.filterwarnings("ignore")  # the compiler warns of what it can't compile
@pytest.mark.parametrize("inside", [False, True], ids=["step outside", "step inside"])
@pytest.mark.parametrize("overhead", [1.0, 0.02], ids=["sampled", "plain"])
def test_a_whole_training_step_that_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overhead: float, inside: bool
) -> None:
    """After its graph breaks nothing of ours is compiled, and each step is in the log."""
    monkeypatch.setattr(governor, "ALLOWANCE", 0.0)
    trained = {}
    for watched in (False, True):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        torch.manual_seed(0)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01))
        watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=overhead) if watched else None

        @torch.compile(backend="aot_eager")
        def step(
            x: Tensor,
            model: nn.Module = model,
            optimizer: torch.optim.Optimizer = optimizer,
            watch: trainhealth.Watch | None = watch if inside else None,
        ) -> Tensor:
            loss: Tensor = model(x).square().mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            if watch is not None:
                watch.step(loss)
            return loss

        losses = []
        for _ in range(14):
            loss = step(torch.randn(6, 4))
            losses.append(loss.item())
            if watch is not None and not inside:
                watch.step(loss)
        frames = dict(torch._dynamo.utils.counters["frames"]) if not inside else {}
        trained[watched] = losses, frames, [parameter.tolist() for parameter in model.parameters()]
    assert trained[True] == trained[False]
    assert watch is not None
    assert view(watch).series("train_loss").values.tolist() == pytest.approx(trained[True][0], rel=1e-6)


def test_names_are_those_of_the_model_that_was_compiled(tmp_path: Path) -> None:
    """A layer or a whole model that `torch.compile` has wrapped keeps the name that the user knows it by."""
    model = net()
    model[0] = torch.compile(model[0], backend=aot_eager)  # type: ignore[assignment]  # a module like any other
    whole = torch.compile(net(), backend=aot_eager)
    for watched, folder in ((model, "layer"), (whole, "whole")):
        optimizer = sgd(watched)
        watch = trainhealth.watch(watched, optimizer, run_dir=tmp_path / folder, overhead=1.0)
        train(watched, optimizer, watch, steps=2)
        run = view(watch)
        assert {layer.name for layer in run.layers if not layer.activation} <= {"0", "2", "4"}
        assert run.columns("parameter_norm").places[0] == "0.weight"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler")
@pytest.mark.skipif(" " in torch.__file__, reason="inductor can't link a torch whose folder has a space in its name")
@pytest.mark.parametrize("order", ["watch(compile)", "compile after watch"])
def test_what_inductor_compiles_trains_the_same(tmp_path: Path, order: str) -> None:
    """Losses, weights and the random state are those of an unwatched run, and the layers are measured."""
    trained = {}
    for watched in (False, True):
        torch._dynamo.reset()
        model = net()
        optimizer, watch = sgd(model), None
        if watched and order == "compile after watch":
            watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
        compiled = torch.compile(model, backend="inductor")
        if watched and watch is None:
            watch = trainhealth.watch(compiled, optimizer, run_dir=tmp_path / "run", overhead=1.0)
        losses = train(compiled, optimizer, watch)
        weights = [value.tolist() for value in model.state_dict().values()]
        trained[watched] = losses, weights, torch.get_rng_state().tolist()
    assert trained[True] == trained[False]
    assert watch is not None
    assert [entry.type for entry in view(watch).layers] == ["Linear", "relu", "BatchNorm1d", "Linear"]
