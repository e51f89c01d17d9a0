"""What of an observed script is an evaluation, and of which data: the numbers are the script's own."""

from __future__ import annotations

import pytest
import torch

from tests.hooks.test_script_logs import Run, run  # noqa: F401  # a fixture


@pytest.mark.parametrize(("name", "first"), [("function_style", 7), ("class_style", 10), ("transformer", 0)])
def test_evaluations_are_those_of_the_script(name: str, first: int, run: Run) -> None:  # noqa: F811  # the fixture
    """The observed validation loss is what the script computes, at the step at which it does, and marked so."""
    observed = run(name)
    told = torch.load(observed.folder / "evaluations.pt")
    losses = [pair[0] if isinstance(pair, tuple) else pair for pair in told]
    series = observed.view.series("validation_loss")
    assert series.steps[0] == first
    assert series.values.tolist() == pytest.approx(losses)
    if name == "function_style":
        assert observed.view.series("validation_accuracy").values.tolist() == pytest.approx([pair[1] for pair in told])
    assert any(event.event == "evaluation-observed" for event in observed.view.events)


def test_numbers_about_the_training_batch_are_no_evaluation(run: Run) -> None:  # noqa: F811  # the fixture
    """Metrics of what was just trained on, and losses over the training data's own loader, are not validation."""
    view = run("""
        from torch.utils.data import DataLoader, TensorDataset
        data = TensorDataset(torch.randn(20, 2), torch.randn(20, 1))
        loader, again = DataLoader(data, 10), DataLoader(data, 20)
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            for x, y in loader:
                out = model(x)
                loss = F.mse_loss(out, y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                with torch.no_grad():
                    F.l1_loss(out, y), F.mse_loss(out.detach(), y), F.mse_loss(model(x), y)
            with torch.no_grad():
                for x, y in again:
                    F.mse_loss(model(x), y)
    """).view
    assert not view.has("validation_loss")


def test_a_second_data_set_is_the_test_set(run: Run) -> None:  # noqa: F811  # the fixture
    """Of two loaders that are evaluated, the first one's data are called validation, the other's test."""
    view = run("""
        from torch.utils.data import DataLoader, TensorDataset
        train, validation, test = (TensorDataset(torch.ones(4, 2) * k, torch.zeros(4, 1)) for k in (1, 2, 3))
        model = nn.Linear(2, 1, bias=False)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            for x, y in DataLoader(train, 2):
                loss = F.mse_loss(model(x), y)
                optimizer.zero_grad(); loss.backward(); optimizer.step()
            with torch.no_grad():
                for data in (validation, test):
                    for x, y in DataLoader(data, 2):
                        F.mse_loss(model(x), y)
    """).view
    validation, test = view.series("validation_loss"), view.series("test_loss")
    assert test.values.tolist() == pytest.approx([2.25 * value for value in validation.values], rel=1e-5)


def test_an_evaluation_that_forgets_no_grad_is_seen_by_the_models_mode(run: Run) -> None:  # noqa: F811  # the fixture
    """Losses with gradients count as an evaluation where the model is in evaluation mode and no backward follows."""
    view = run("""
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(2):
            model.train()
            for _ in range(3):
                loss = F.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1))
                optimizer.zero_grad(); loss.backward(); optimizer.step()
            model.eval()
            F.mse_loss(model(torch.ones(4, 2)), torch.ones(4, 1))
    """).view
    assert view.series("validation_loss").steps.tolist() == [3, 6]


def test_training_in_evaluation_mode_is_training(run: Run) -> None:  # noqa: F811  # the fixture
    """A model that is fine-tuned in evaluation mode has training losses and no validation losses."""
    view = run("""
        model = nn.Linear(2, 1).eval()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(4):
            loss = F.mse_loss(model(torch.ones(4, 2)), torch.zeros(4, 1))
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """).view
    assert len(view.series("train_loss")) == 4
    assert not view.has("validation_loss")
