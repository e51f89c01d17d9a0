"""Which backwards and updates of an observed script are a step, where they do not simply take turns."""

from __future__ import annotations

import pytest

from tests.hooks.test_script_logs import Run, run  # noqa: F401  # a fixture


@pytest.mark.filterwarnings("ignore")  # the compiler warns of what it can't compile
def test_a_compiled_update_ends_its_step(run: Run) -> None:  # noqa: F811  # the fixture
    """Backward and update inside one compiled function are steps, with the loss that belongs to each."""
    observed = run("""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.1))
        @torch.compile(backend="aot_eager")
        def step(x):
            loss = F.mse_loss(model(x), torch.zeros(4, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss
        told = [step(torch.randn(4, 2)).item() for _ in range(6)]
    """)
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result, rel=1e-6)
    assert len(observed.view.columns("update_ratio")) == 6


@pytest.mark.parametrize("several", [False, True], ids=["one", "an optimizer a parameter"])
def test_updates_inside_a_backward_belong_to_its_step(several: bool, run: Run) -> None:  # noqa: F811  # the fixture
    """Optimizers that step in hooks on their parameters: the loss is that of the backward under way."""
    observed = run(f"""
        model = nn.Linear(2, 1)
        groups = [[p] for p in model.parameters()] if {several} else [list(model.parameters())]
        optimizers = [torch.optim.SGD(group, lr=0.1) for group in groups]
        def update(optimizer):
            def hook(parameter):
                if all(p.grad is not None for p in optimizer.param_groups[0]["params"]):
                    optimizer.step()
                    optimizer.zero_grad()
            return hook
        for optimizer in optimizers:
            for parameter in optimizer.param_groups[0]["params"]:
                parameter.register_post_accumulate_grad_hook(update(optimizer))
        told = []
        for _ in range(5):
            loss = F.mse_loss(model(torch.randn(4, 2)), torch.zeros(4, 1))
            loss.backward()
            told.append(loss.item())
    """)
    series = observed.view.series("train_loss")
    assert series.steps.tolist() == [0, 1, 2, 3, 4]
    assert series.values.tolist() == pytest.approx(observed.result, rel=1e-8)


def test_two_backwards_of_one_forward_are_terms_of_one_loss(run: Run) -> None:  # noqa: F811  # the fixture
    """They are no micro-batches: the loss is their sum."""
    observed = run("""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        told = []
        for _ in range(5):
            outputs = model(torch.randn(4, 2))
            first, second = F.mse_loss(outputs, torch.zeros(4, 1)), outputs.abs().mean()
            optimizer.zero_grad()
            first.backward(retain_graph=True)
            second.backward()
            optimizer.step()
            told.append(first.item() + second.item())
    """)
    assert observed.view.series("train_loss").values.tolist() == pytest.approx(observed.result, rel=1e-6)
    assert "micro_batches" not in observed.view.facts


def test_a_first_forward_with_other_parameters(run: Run) -> None:  # noqa: F811  # the fixture
    """A model that is only called by `functional_call` is the model all the same: its layers are measured."""
    observed = run("""
        model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(4):
            weights = {name: 1.0 * parameter for name, parameter in model.named_parameters()}
            loss = torch.func.functional_call(model, weights, (torch.randn(4, 2),)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    """)
    assert [entry.name for entry in observed.view.layers] == ["0", "0/relu", "2"]
