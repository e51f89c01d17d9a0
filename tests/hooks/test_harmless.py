"""Watching changes nothing: with and without it, everything about a training is the same to the bit."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import trainhealth
from tests.hooks.zoo import ZOO, Animal, functional_relu, inplace_relu_batchnorm_dropout
from tests.hooks.zoo_of_loops import LOOPS


def trained(make: Callable[[], Animal], run_dir: Path | None, **options: Any) -> dict[str, Any]:
    """Train an animal, watched or not, and return all that could differ."""
    torch.manual_seed(1)
    animal = make()
    watch = None if run_dir is None else trainhealth.watch(animal.model, animal.optimizer, run_dir=run_dir, **options)
    losses = []
    for loss, outputs, targets, _ended in animal.steps():
        losses.append(loss.detach().clone())
        if watch is not None:
            watch.step(loss, outputs=outputs if isinstance(outputs, torch.Tensor) else None, targets=targets)
    if watch is not None:
        watch.close()
    return {
        "losses": losses,
        "weights": dict(animal.model.state_dict()),
        "gradients": [p.grad for p in animal.model.parameters()],
        "optimizer": animal.optimizer.state_dict()["state"],
        "random state": torch.get_rng_state(),
        "training flags": [m.training for m in animal.model.modules()],
        "requires_grad": [p.requires_grad for p in animal.model.parameters()],
        "keys": list(animal.model.state_dict()),
        "hooks": [hooks_of(m) for m in animal.model.modules()],
        "parameter hooks": [len(p._backward_hooks or ()) for p in animal.model.parameters()],
        "optimizer pre-hooks": len(animal.optimizer._optimizer_step_pre_hooks),
        "optimizer post-hooks": len(animal.optimizer._optimizer_step_post_hooks),
        "function modes": torch._C._len_torch_function_stack(),
        "grad mode": torch.is_grad_enabled(),
    }


def hooks_of(module: nn.Module) -> tuple[int, ...]:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called")
    kinds += ("_forward_pre_hooks_with_kwargs", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
    return tuple(len(getattr(module, kind)) for kind in kinds)


def assert_same(left: Any, right: Any, where: str) -> None:
    if isinstance(left, torch.Tensor):
        assert left.dtype == right.dtype, where
        assert torch.equal(left.to_dense(), right.to_dense()) or (left != left).equal(right != right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same(left[key], right[key], f"{where}[{key!r}]")
    elif isinstance(left, list | tuple):
        assert len(left) == len(right), where
        for index, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{where}[{index}]")
    else:
        assert left == right, where


@pytest.mark.parametrize("make", [*ZOO, *LOOPS], ids=lambda make: make.__name__)
def test_training_is_bit_identical(make: Callable[[], Animal], tmp_path: Path) -> None:
    """Losses, weights, gradients, optimizer, random state, flags and hooks are the same with and without watching."""
    bare = trained(make, None)
    watched = trained(make, tmp_path / "run", overhead=1.0)
    assert_same(bare, watched, make.__name__)
    view = trainhealth.load(tmp_path / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    assert len(view.series("train_loss")) == len(bare["losses"]) // make().micro_batches
    assert view.has("update_ratio")


def test_an_exception_in_forward_leaves_nothing_behind(tmp_path: Path) -> None:
    """A forward that raises in a sampled step leaves no hook and no function mode."""

    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.calls = nn.Linear(2, 2), 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls == 1:
                raise ValueError("the user's own error")
            return torch.relu(self.layer(x))

    model = Fails()
    before = hooks_of(model.layer)
    with trainhealth.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), run_dir=tmp_path / "run"):
        with pytest.raises(ValueError, match="the user's own error"):
            model(torch.ones(1, 2))
        assert torch._C._len_torch_function_stack() == 0
        assert hooks_of(model.layer) == before
        assert model(torch.ones(1, 2)).shape == (1, 2)


def test_an_interrupt_in_forward_is_survived(tmp_path: Path) -> None:
    """Ctrl-C inside a sampled forward, which torch's own clean-up does not see, leaves no function mode once closed."""

    class Interrupted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise KeyboardInterrupt

    model = Interrupted()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with (
        pytest.raises(KeyboardInterrupt),
        trainhealth.watch(model, optimizer, run_dir=tmp_path / "run"),
    ):
        model(torch.ones(1, 2))
    assert torch._C._len_torch_function_stack() == 0
    assert hooks_of(model) == hooks_of(nn.Linear(1, 1))
    assert trainhealth.load(tmp_path / "run").view.ended == "interrupted"


def test_copies_and_files_of_a_watched_model_carry_nothing_of_ours(tmp_path: Path) -> None:
    """Deep copies, averaged models and saved models work and log nothing, also between and after sampled steps."""
    torch.manual_seed(0)
    original = inplace_relu_batchnorm_dropout().model
    keys = list(original.state_dict())
    x = torch.randn(4, 1, 8, 8)
    with trainhealth.watch(original, None, run_dir=tmp_path / "run") as watch:
        original(x).sum().backward()
        copied = copy.deepcopy(original)
        averaged = AveragedModel(original)
        stored = io.BytesIO()
        torch.save(original, stored)
        watch.step(1.0)
        forwards = watch._recorder.forwards
        stored.seek(0)
        loaded = torch.load(stored, weights_only=False)
        for model in (copied, averaged, loaded):
            assert model(x).shape == (4, 10)
        assert watch._recorder.forwards == forwards
        assert list(original.state_dict()) == list(copied.state_dict()) == list(loaded.state_dict()) == keys
        assert b"trainhealth" not in stored.getvalue()


def test_a_compiled_model_trains_the_same(tmp_path: Path) -> None:
    """A model compiled before or after `watch` gives the same bits and the same number of graphs."""

    def run(order: str) -> tuple[list[float], int]:
        torch._dynamo.reset()
        graphs = []

        def counting(graph: Any, inputs: Any) -> Any:
            graphs.append(graph)
            return graph.forward

        torch.manual_seed(0)
        animal = functional_relu()
        watch = None
        if order == "after":
            watch = trainhealth.watch(animal.model, animal.optimizer, run_dir=tmp_path / order, overhead=1.0)
        compiled = torch.compile(animal.model, backend=counting)
        if order == "before":
            watch = trainhealth.watch(compiled, animal.optimizer, run_dir=tmp_path / order, overhead=1.0)
        animal.model = compiled
        losses = []
        for loss, *_ in animal.steps():
            losses.append(loss.item())
            if watch is not None:
                watch.step(loss)
        if watch is not None:
            watch.close()
        return losses, len(graphs)

    bare = run("bare")
    assert run("before") == bare
    assert run("after") == bare
    assert trainhealth.load(tmp_path / "before").view.has("update_ratio")
