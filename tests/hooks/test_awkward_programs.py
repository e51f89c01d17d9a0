"""Programs that do unusual things: watching neither breaks them nor tells untruths about them."""

from __future__ import annotations

import copy
import gc
import io
import threading
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import trainhealth
from trainhealth.hooks import warning
from trainhealth.series import RunView


@pytest.fixture(autouse=True)
def _forget_warnings() -> Iterator[None]:
    warning._said.clear()
    yield
    warning._said.clear()


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, watch: trainhealth.Watch, **labels: Any) -> Tensor:
    loss = model(torch.randn(6, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss, **labels)
    return loss


def view(watch: trainhealth.Watch) -> RunView:
    watch.close()
    return trainhealth.load(watch.run_dir).view


class Interrupted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.raises = mlp(), True

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        if self.raises:
            raise KeyboardInterrupt
        return x


def modes() -> int:
    return torch._C._len_torch_function_stack()


def test_an_interrupt_inside_a_forward_that_is_caught(tmp_path: Path) -> None:
    """After Ctrl-C in a sampled forward the model can be saved and copied, and the next forward is observed again."""
    model = Interrupted()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    with pytest.raises(KeyboardInterrupt):
        model(torch.randn(2, 4))
    torch.save(model, io.BytesIO())
    assert copy.deepcopy(model).body(torch.randn(2, 4)).shape == (2, 3)
    model.raises = False
    for _ in range(3):
        step(model, optimizer, watch)
        assert modes() == 0
    assert len(view(watch).columns("activation_std")) == 3


@pytest.mark.parametrize("policy", [CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_RECOMPUTE])
def test_selective_checkpointing(tmp_path: Path, policy: CheckpointPolicy) -> None:
    """A dispatch mode of the user's never sees an operation of ours: what it has saved fits what it recomputes."""

    class Selective(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))

        def forward(self, x: Tensor) -> Tensor:
            context = partial(create_selective_checkpoint_contexts, lambda *arguments, **options: policy)
            return checkpoint(self.body, x, use_reentrant=False, context_fn=context)

    def losses(run_dir: Path | None) -> list[float]:
        torch.manual_seed(0)
        model = Selective()
        optimizer = sgd(model)
        watch = trainhealth.watch(model, optimizer, run_dir=run_dir, overhead=1.0) if run_dir else None
        found = []
        for _ in range(4):
            loss = model(torch.randn(6, 4)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if watch is not None:
                watch.step(loss)
            found.append(loss.item())
        if watch is not None:
            assert not [event for event in view(watch).events if event.event.endswith("disabled")]
        return found

    assert losses(None) == losses(tmp_path / "run")


def test_a_function_mode_of_the_users_sees_nothing_of_ours(tmp_path: Path) -> None:
    """A mode around the loop sees the same calls with and without watching."""

    class Counting(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.calls.append(getattr(func, "__name__", str(func)))
            return func(*args, **(kwargs or {}))

    def calls(run_dir: Path | None) -> list[str]:
        model = mlp()
        watch = trainhealth.watch(model, run_dir=run_dir, overhead=1.0) if run_dir else None
        with Counting() as counting:
            for _ in range(2):
                loss = model(torch.ones(2, 4)).sum()
                loss.backward()
        if watch is not None:
            watch.step(1.0)
            watch.close()
        return counting.calls

    assert calls(tmp_path / "run") == calls(None)


def test_a_thread_that_evaluates_is_not_observed(tmp_path: Path) -> None:
    """Forwards of another thread neither count nor end the observation of the one that trains."""
    model = mlp()

    class Calls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = model

        def forward(self, x: Tensor) -> Tensor:
            if threading.current_thread() is threading.main_thread():
                other = threading.Thread(target=self, args=(x,))
                other.start()
                other.join()
            return self.body(x)

    outer = Calls()
    optimizer = sgd(outer)
    watch = trainhealth.watch(outer, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    for _ in range(3):
        step(outer, optimizer, watch)
        assert modes() == 0
    run = view(watch)
    assert len(run.columns("activation_std")) == 3
    assert [entry.name for entry in run.layers] == ["body.0", "body.0/relu", "body.2"]


def test_a_model_that_calls_itself(tmp_path: Path) -> None:
    """The observation ends with the outermost forward."""

    class Recursive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x: Tensor, depth: int = 2) -> Tensor:
            if depth:
                with torch.no_grad():
                    self(x, 0)
                return self.out(self(torch.relu(self.layer(x)), 0))
            return x

    model = Recursive()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    for _ in range(2):
        step(model, optimizer, watch)
    assert [entry.name for entry in view(watch).layers] == ["layer", "layer/relu", "out"]


def test_a_unit_of_a_recurrent_cell_is_alive_when_any_call_shows_it(tmp_path: Path) -> None:
    """A ReLU that is zero at the first token of every sequence is no dead ReLU."""

    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 4, bias=False)
            nn.init.ones_(self.layer.weight)

        def forward(self, x: Tensor) -> Tensor:
            return sum(torch.relu(self.layer(x[:, t : t + 1])) for t in range(x.shape[1]))

    model = Cell()
    watch = trainhealth.watch(model, run_dir=tmp_path / "run", overhead=1.0)
    for _ in range(8):
        x = torch.cat([torch.zeros(400, 1), torch.ones(400, 1)], dim=1)
        loss = model(x).sum()
        loss.backward()
        watch.step(loss)
    dead = view(watch).columns("dead_fraction").place("layer/relu")
    assert dead.values.tolist() == [0.0]


def test_a_function_is_named_after_the_layer_whose_output_it_gets(tmp_path: Path) -> None:
    """In branches, the layer that ran last is not the one that feeds."""

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right, self.out = nn.Linear(4, 4), nn.Linear(4, 5), nn.Linear(9, 3)

        def forward(self, x: Tensor) -> Tensor:
            left, right = self.left(x), self.right(x)
            return self.out(torch.cat([F.relu(left), torch.tanh(right)], 1))

    model = Branches()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run")
    step(model, optimizer, watch)
    assert {e.name: e.units for e in view(watch).layers if e.activation} == {"left/relu": 4, "right/tanh": 5}


def test_parametrized_layers_are_layers(tmp_path: Path) -> None:
    """weight_norm puts children below a linear layer; it is measured all the same."""
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 8)), nn.ReLU(), nn.Linear(8, 3))
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run")
    step(model, optimizer, watch)
    assert [entry.name for entry in view(watch).layers] == ["0", "0/relu", "2"]


@pytest.mark.filterwarnings("ignore::trainhealth.hooks.warning.TrainHealthWarning")
@pytest.mark.parametrize(
    "labels",
    [
        {"targets": np.zeros(6)},
        {"targets": [0] * 6},
        {"outputs": torch.randn(3), "targets": torch.tensor(1)},
        {"outputs": torch.zeros(6, 0), "targets": torch.zeros(6, dtype=torch.long)},
        {"outputs": torch.zeros(0, 3), "targets": torch.zeros(0, dtype=torch.long)},
        {"outputs": torch.zeros(6, 3, dtype=torch.bool), "targets": torch.zeros(6, dtype=torch.bool)},
        {"outputs": torch.zeros(6, 3, dtype=torch.complex64), "targets": torch.zeros(6, dtype=torch.long)},
        {"outputs": torch.zeros(6, 3), "targets": torch.zeros(6, dtype=torch.long, device="meta")},
        {"outputs": {"logits": 1}, "targets": object()},
        {"step": "seven"},
    ],
    ids=lambda labels: "-".join(f"{name}={type(value).__name__}" for name, value in labels.items()),
)
def test_odd_labels_cost_the_labels_and_not_the_steps(tmp_path: Path, labels: dict[str, Any]) -> None:
    """Whatever is passed as outputs and targets: every step is recorded, and layers are sampled."""
    model = mlp()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    losses = [step(model, optimizer, watch, **labels).item() for _ in range(5)]
    run = view(watch)
    assert run.series("train_loss").values.tolist() == pytest.approx(losses, rel=1e-8)
    assert len(run.columns("activation_std")) == 5


def test_soft_labels_are_a_classification(tmp_path: Path) -> None:
    """Cross entropy against probabilities (mixup) is no regression."""
    model = mlp()
    watch = trainhealth.watch(model, run_dir=tmp_path / "run")
    outputs, targets = model(torch.randn(6, 4)), torch.softmax(torch.randn(6, 3), 1)
    loss = F.cross_entropy(outputs, targets)
    loss.backward()
    watch.step(loss, outputs=outputs, targets=targets)
    facts = view(watch).facts
    assert (facts["task"], facts["classes"], facts["loss_function"]) == ("classification", 3, "soft_cross_entropy")


def test_a_fresh_adagrad_is_no_resumed_run(tmp_path: Path) -> None:
    """Adagrad has a state before its first step: two fresh runs get two folders."""
    for _ in range(2):
        model = mlp()
        optimizer = torch.optim.Adagrad(model.parameters())
        with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
            step(model, optimizer, watch)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["run", "run-2"]


def test_a_model_without_parameters(tmp_path: Path) -> None:
    """A picture that is trained through a model with nothing to train has its losses and activations recorded."""
    losses: dict[bool, list[float]] = {}
    for watched in (False, True):
        torch.manual_seed(0)
        picture = torch.randn(1, 1, 8, 8, requires_grad=True)
        model, optimizer = nn.Sequential(nn.AvgPool2d(2), nn.Tanh()), torch.optim.SGD([picture], lr=0.1)
        watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) if watched else None
        losses[watched] = []
        for _ in range(4):
            loss = model(picture).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[watched].append(loss.item())
            if watch is not None:
                watch.step(loss)
    assert losses[True] == losses[False]
    assert watch is not None
    run = view(watch)
    assert run.series("train_loss").values.tolist() == pytest.approx(losses[True], rel=1e-8)
    assert run.columns("activation_std").places == ("input/tanh",)


def test_a_lost_handle_closes_itself(tmp_path: Path) -> None:
    """A function that watches and returns without closing can be called again on the same model."""
    model = mlp()
    for _ in range(2):
        watch = trainhealth.watch(model, run_dir=tmp_path / "run")
        watch.step(1.0)
        del watch
        gc.collect()
    assert len(model._forward_pre_hooks) == 0
    assert trainhealth.load(tmp_path / "run-2").view.ended == "exit"


def test_a_closed_handle_keeps_nothing_in_memory(tmp_path: Path) -> None:
    """The model can be freed while the handle is still in scope."""
    model = mlp()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    step(model, optimizer, watch)
    watch.close()
    alive = [weakref.ref(model), weakref.ref(optimizer), weakref.ref(model[0].weight)]
    del model, optimizer
    gc.collect()
    assert [reference() for reference in alive] == [None, None, None]


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """Over many sampled steps no tensor stays behind."""
    model = mlp()
    optimizer = sgd(model)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)

    def tensors() -> int:
        gc.collect()
        return sum(type(thing) in (Tensor, nn.Parameter) for thing in gc.get_objects())

    for _ in range(20):
        step(model, optimizer, watch)
    before = tensors()
    for _ in range(100):
        step(model, optimizer, watch)
    assert tensors() <= before + 20
    watch.close()


def test_rates_that_are_no_numbers(tmp_path: Path) -> None:
    """An optimizer without a rate (lr=None, as Adafactor has it) is watched without one."""
    model = mlp()
    optimizer = sgd(model)
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [], "lr": None})
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run")
    loss = model(torch.randn(6, 4)).sum()
    loss.backward()
    optimizer.param_groups.pop()
    optimizer.param_groups[0]["lr"], rate = 0.1, optimizer.param_groups[0]["lr"]
    optimizer.step()
    watch.step(loss)
    assert rate == 0.1
    assert len(view(watch).series("train_loss")) == 1


def test_findings_of_a_run_whose_folder_is_gone(tmp_path: Path) -> None:
    """There is nothing to diagnose, a warning says so, and nothing raises."""
    watch = trainhealth.watch(mlp(), run_dir=tmp_path / "run", stop_on="critical")
    watch.step(float("nan"))
    for file in (tmp_path / "run").iterdir():
        file.unlink()
    (tmp_path / "run").rmdir()
    with pytest.warns(UserWarning, match="nothing to diagnose"):
        assert watch.findings() == ()
    assert not watch.should_stop
    watch.close()
