"""Dropout in evaluation mode: what drops although the model says not to, and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

import trainhealth
from trainhealth.hooks.governor import Governor
from trainhealth.series import RunView


class Net(nn.Module):
    """Two layers with something between them that may depend on the mode."""

    def __init__(self, between: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.dropout, self.between = nn.Dropout(0.5), between

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.between(self, torch.relu(self.first(x))))


def attention(x: Tensor, p: float) -> Tensor:
    return F.scaled_dot_product_attention(x[None], x[None], x[None], dropout_p=p)[0]


def forgotten(_: nn.Module, x: Tensor) -> Tensor:
    return F.dropout(x, 0.5)


def train(model: nn.Module, folder: Path | None, *, batches: int = 3, passes: int = 1) -> tuple[list[float], list[int]]:
    """Train and evaluate; return the scores, and how deep the stack of function modes was in each evaluation."""
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = None if folder is None else trainhealth.watch(model, optimizer, run_dir=folder, overhead=1.0)
    scores = []
    modes: list[int] = []
    model.first.register_forward_hook(lambda *_: modes.append(torch._C._len_torch_function_stack()))  # type: ignore[operator, union-attr]
    for _ in range(4):
        for _ in range(3):
            loss = F.cross_entropy(model(torch.randn(5, 6)), torch.randint(0, 3, (5,)))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            if watch is not None:
                watch.step(loss)
        modes.clear()
        model.eval()
        with torch.no_grad():
            for _ in range(batches):
                x, y = torch.randn(5, 6), torch.randint(0, 3, (5,))
                outputs = torch.stack([model(x) for _ in range(passes)]).mean(0)
                scores.append(float(F.cross_entropy(outputs, y)))
        model.train()
        if watch is not None:
            watch.epoch(validation_loss=scores[-1])
    if watch is not None:
        watch.close()
    assert torch._C._len_torch_function_stack() == 0
    return scores, modes


def seen(folder: Path) -> RunView:
    view = trainhealth.load(folder).view
    assert not [event for event in view.events if event.event.endswith("disabled")]
    return view


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize(
    "between",
    [forgotten, lambda _, x: torch.dropout(x, 0.5, True), lambda _, x: attention(x, 0.5)],
    ids=["F.dropout", "torch.dropout", "attention"],
)
def test_dropout_that_was_left_on_is_counted(
    tmp_path: Path, between: Callable[[nn.Module, Tensor], Tensor], batches: int
) -> None:
    """And the evaluation draws and computes what it does without us."""
    torch.manual_seed(0)
    bare, _ = train(Net(between), None, batches=batches)
    torch.manual_seed(0)
    watched, _ = train(Net(between), tmp_path / "run", batches=batches)
    assert watched == bare
    assert set(seen(tmp_path / "run").series("evaluation_active_dropout").values.tolist()) == {1.0}
    report = trainhealth.check(tmp_path / "run")
    assert [finding.evidence[0].signal for finding in report.findings if finding.code == "MO01"] == [
        "evaluation_active_dropout"
    ]


@pytest.mark.parametrize(
    "between",
    [
        lambda net, x: F.dropout(x, 0.5, net.training),
        lambda net, x: F.dropout(x, 0.5, training=net.training),
        lambda net, x: net.dropout(x),
        lambda net, x: attention(x, 0.5 if net.training else 0.0),
    ],
    ids=["placed", "named", "module", "attention"],
)
def test_a_model_whose_evaluation_draws_nothing_meets_no_mode(
    tmp_path: Path, between: Callable[[nn.Module, Tensor], Tensor]
) -> None:
    """Its evaluations are looked at from outside, and have no active dropout."""
    _, modes = train(Net(between), tmp_path / "run")
    assert set(modes) == {0}
    assert set(seen(tmp_path / "run").series("evaluation_active_dropout").values.tolist()) == {0.0}


def test_other_random_numbers_are_no_dropout(tmp_path: Path) -> None:
    """A latent variable that is sampled in evaluations, too, beside a dropout that is off."""
    train(Net(lambda net, x: F.dropout(x + torch.randn_like(x), 0.5, net.training)), tmp_path / "run")
    assert set(seen(tmp_path / "run").series("evaluation_active_dropout").values.tolist()) == {0.0}


def test_the_mean_over_several_passes_is_meant(tmp_path: Path) -> None:
    """Monte Carlo dropout asks the model several times about one tensor."""
    train(Net(forgotten), tmp_path / "run", passes=4)
    assert not seen(tmp_path / "run").has("evaluation_active_dropout")


@pytest.mark.parametrize("passes", [1, 4])
def test_modules_that_were_put_in_training_mode_one_by_one_are_meant(tmp_path: Path, passes: int) -> None:
    """The other way to Monte Carlo dropout: the model is in evaluation mode, its dropout is not."""

    class Sampled(Net):
        def train(self, mode: bool = True) -> Sampled:
            super().train(mode)
            self.dropout.train()
            return self

    train(Sampled(lambda net, x: net.dropout(x)), tmp_path / "run", passes=passes)
    view = seen(tmp_path / "run")
    assert not view.has("evaluation_active_dropout")
    assert set(view.series("evaluation_training_mode").values.tolist()) == {0.0}
    assert "MO01" not in [finding.code for finding in trainhealth.check(tmp_path / "run").findings]


def test_a_module_that_eval_does_not_reach_is_not_meant(tmp_path: Path) -> None:
    """Dropout in a plain list stays in training mode."""
    hidden = [nn.Dropout(0.5)]
    train(Net(lambda _, x: hidden[0](x)), tmp_path / "run")
    assert set(seen(tmp_path / "run").series("evaluation_active_dropout").values.tolist()) == {1.0}


def test_a_compiled_model_is_left_alone(tmp_path: Path) -> None:
    """A hook that comes and goes would have it compiled again."""
    torch._dynamo.reset()
    graphs = []

    def counting(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    net = Net(lambda net, x: F.dropout(x, 0.5, net.training))
    model = torch.compile(net, backend=counting)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for step in range(6):
            loss = model(torch.randn(5, 6)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            model.eval()
            with torch.no_grad():
                model(torch.randn(5, 6))
            model.train()
            if step == 2:
                compiled = len(graphs)
    assert len(graphs) == compiled
    assert not seen(tmp_path / "run").has("evaluation_active_dropout")


def test_an_interrupt_in_an_evaluation_leaves_no_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a Ctrl-C where torch's clean-up does not see it, the next forward is free of ours."""
    interrupts: list[bool] = []
    modes: list[int] = []

    def between(net: nn.Module, x: Tensor) -> Tensor:
        modes.append(torch._C._len_torch_function_stack())
        if interrupts:
            raise KeyboardInterrupt
        return F.dropout(x, 0.5)

    model = Net(between)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0)
    monkeypatch.setattr(Governor, "_due", lambda *_: False)  # nothing is affordable: powers of two alone
    for step in range(20):
        loss = model(torch.randn(5, 6)).square().mean()
        if step == 17:
            assert modes[-2:] == [1, 0]
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        watch.step(loss)
        model.eval()
        with torch.no_grad():
            if step == 16:  # the first evaluation after a sample
                interrupts.append(True)
                with pytest.raises(KeyboardInterrupt):
                    model(torch.randn(5, 6))
                interrupts.clear()
            else:
                model(torch.randn(5, 6))
        model.train()
    watch.close()
    assert torch._C._len_torch_function_stack() == 0
    assert len(model._forward_hooks) == 0
