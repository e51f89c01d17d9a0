"""Programs with settings, modes and interrupts that few have: watching neither breaks them nor is broken by them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn
from torch.overrides import handle_torch_function
from torch.utils._python_dispatch import TorchDispatchMode

import trainhealth
from trainhealth.series import RunView


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def train(model: nn.Module, folder: Path | None, steps: int = 6) -> RunView | None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = None if folder is None else trainhealth.watch(model, optimizer, run_dir=folder, overhead=1.0)
    for _ in range(steps):
        outputs, targets = model(torch.randn(6, 4)), torch.randint(0, 3, (6,))
        loss = F.cross_entropy(outputs, targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        if watch is not None:
            watch.step(loss, outputs=outputs, targets=targets)
    if watch is None:
        return None
    watch.close()
    return trainhealth.load(watch.run_dir).view


@pytest.fixture
def default_dtype() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("default_dtype")
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_another_default_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    """Our own tensors do not follow it: counts stay exact, and no probe fails."""
    torch.set_default_dtype(dtype)
    view = train(mlp(), tmp_path / "run")
    assert view is not None
    assert not [event for event in view.events if event.event != "facts"]
    shares = view.series("prediction_majority_share").values
    assert len(shares) == 6
    assert (6 * shares).tolist() == pytest.approx((6 * shares).round().tolist(), abs=1e-3)


def test_a_dispatch_mode_of_the_users_sees_nothing_of_ours(tmp_path: Path) -> None:
    """A mode around the whole loop counts the operations that it counts without us, and parameters are measured."""

    class Counting(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.calls: list[str] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.calls.append(str(func))
            return func(*args, **(kwargs or {}))

    calls = {}
    for folder in (None, tmp_path / "run"):
        model = mlp()
        with Counting() as counting:
            view = train(model, folder)
        calls[folder] = counting.calls
    assert calls[None] == calls[tmp_path / "run"]
    assert view is not None
    assert len(view.columns("update_ratio")) == 6


def test_an_interrupt_inside_a_function_of_torch(tmp_path: Path) -> None:
    """Ctrl-C while a function of torch runs in a sampled forward, caught by the script, leaves no function mode."""
    interrupts = [True]

    def function(x: Tensor) -> Tensor:
        if torch.overrides.has_torch_function_unary(x) or torch._C._len_torch_function_stack():
            return handle_torch_function(function, (x,), x)  # type: ignore[no-any-return]  # torch leaves it untyped
        if interrupts:
            raise KeyboardInterrupt
        return x

    class Interrupted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return function(self.body(x))

    model = Interrupted()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        with pytest.raises(KeyboardInterrupt):
            model(torch.randn(2, 4))
        copy.deepcopy(model)
        interrupts.clear()
        for _ in range(3):
            loss = model(torch.randn(6, 4)).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            assert torch._C._len_torch_function_stack() == 0
    assert len(trainhealth.load(tmp_path / "run").view.columns("activation_std")) == 3


def test_scripting_copies_of_a_watched_model(tmp_path: Path) -> None:
    """`torch.jit.script` compiles copies as it compiles the model, also one that was made inside a forward."""

    class Copied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.copies = nn.Linear(4, 3), list[nn.Module]()

        def forward(self, x: Tensor) -> Tensor:
            self.copies.append(copy.deepcopy(self.layer))
            return self.layer(x)

    model, outer = mlp(), Copied()
    x = torch.randn(2, 4)
    with contextlib.ExitStack() as stack:
        for number, watched in enumerate((model, outer)):
            stack.enter_context(trainhealth.watch(watched, run_dir=tmp_path / str(number), overhead=1.0))
        outer(x)
        for made in (copy.deepcopy(model), outer.copies[0]):
            with pytest.warns(DeprecationWarning, match="torch.jit.script"):
                scripted = torch.jit.script(made)
            assert torch.equal(scripted(x), made(x))


def test_a_layer_that_is_to_be_quantized(tmp_path: Path) -> None:
    """A linear layer with helpers that have no weights, as quantization-aware training puts into it, is a layer."""

    class Rounded(nn.Linear):
        def __init__(self, entering: int, leaving: int) -> None:
            super().__init__(entering, leaving)
            self.observer = nn.Identity()

        def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
            return F.linear(input, self.observer(self.weight), self.bias)

    view = train(nn.Sequential(Rounded(4, 8), nn.ReLU(), Rounded(8, 3)), tmp_path / "run", steps=2)
    assert view is not None
    assert [(entry.name, entry.type) for entry in view.layers] == [
        ("0", "Rounded"),
        ("0/relu", "relu"),
        ("2", "Rounded"),
    ]
