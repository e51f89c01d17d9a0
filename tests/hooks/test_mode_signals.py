"""Modes: dropout and batch norm in training and evaluation forwards, and which forward is an evaluation's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import trainhealth
from tests.hooks.test_harmless import assert_same
from tests.hooks.zoo import ZOO, Animal
from trainhealth.series import RunView


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))


def values(view: RunView, signal: str) -> list[float]:
    return view.series(signal).values.tolist()


class Training:
    """A watched training whose steps and forwards without gradients a test puts in any order."""

    def __init__(self, folder: Path, model: nn.Module | None = None) -> None:
        self.model = net() if model is None else model
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self._folder = folder / "run"
        self.watch = trainhealth.watch(self.model, self.optimizer, run_dir=self._folder, overhead=1.0)

    def step(self, before: Callable[[], object] = lambda: None) -> None:
        """Train on another batch; `before` is called between forward and backward."""
        loss = self.model(torch.randn(16, 3)).square().mean()
        before()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.watch.step(loss)

    def predict(self, inputs: Tensor, context: Callable[[], AbstractContextManager[object]] = torch.no_grad) -> None:
        """Run the model without gradients."""
        with context():
            self.model(inputs)

    def view(self) -> RunView:
        """End the training and return its run."""
        self.watch.close()
        view = trainhealth.load(self._folder).view
        assert not [event for event in view.events if event.event.endswith("-disabled")]
        return view


# --- the training forward ---------------------------------------------------------------------------------------


def test_training_mode_is_a_share_of_modules(tmp_path: Path) -> None:
    """All of dropout and batch norm, half of them, none."""
    run = Training(tmp_path)
    run.step()
    run.model[3].eval()
    run.step()
    run.model.eval()
    run.step()
    assert values(run.view(), "training_mode") == [1.0, 0.5, 0.0]


def test_modules_with_one_mode_do_not_count(tmp_path: Path) -> None:
    """Dropout of 0, batch norm without running statistics and all other modules are the same in either mode."""
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.0), nn.BatchNorm1d(4, track_running_stats=False), nn.ReLU())
    run = Training(tmp_path, model)
    run.step()
    run.predict(torch.randn(4, 3))
    run.step()
    view = run.view()
    assert values(view, "training_mode") == values(view, "evaluation_training_mode") == []
    assert len(view.series("evaluation_input_mean")) == 1


def test_recurrent_layers_have_a_dropout_of_their_own(tmp_path: Path) -> None:
    """The dropout of an LSTM is no module and has two modes all the same."""

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.3)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x)[0]

    run = Training(tmp_path, Recurrent().eval())
    run.step()
    assert values(run.view(), "training_mode") == [0.0]


def test_modes_of_several_models_are_taken_together(tmp_path: Path) -> None:
    """In a GAN the share is over the modules of all models that ran in the step."""
    first, second = net(), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Dropout(0.5)).eval()
    with trainhealth.watch({"first": first, "second": second}, run_dir=tmp_path / "run") as watch:
        loss = second(first(torch.randn(8, 3))).square().mean()
        loss.backward()
        watch.step(loss)
    assert values(trainhealth.load(tmp_path / "run").view, "training_mode") == [0.5]


# --- batch norm -------------------------------------------------------------------------------------------------


def expected_statistics(module: nn.Module, x: Tensor) -> tuple[float, float]:
    """Return gap and ratio of a batch norm's input, channels last, the slow way."""
    x = x.double()
    gaps, ratios = [], []
    for channel in range(x.shape[1]):
        of_channel = x[:, channel].flatten()
        mean, variance = float(module.running_mean[channel]), float(module.running_var[channel]) + module.eps
        gaps.append((float(of_channel.mean()) - mean) / variance**0.5)
        ratios.append((float(of_channel.var(correction=0)) + module.eps) / variance)
    return (sum(gap**2 for gap in gaps) / len(gaps)) ** 0.5, sorted(ratios)[(len(ratios) - 1) // 2]


@pytest.mark.parametrize("how", ["training", "evaluation", "frozen", "bfloat16"])
@pytest.mark.parametrize("images", [False, True])
def test_batch_norm_against_its_running_statistics(tmp_path: Path, how: str, images: bool) -> None:
    """Gap and ratio follow from the layer's input, whether the graph has kept the batch's statistics or not."""
    torch.manual_seed(0)
    norm: nn.Module = nn.BatchNorm2d(5) if images else nn.BatchNorm1d(5)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    norm.train(how != "evaluation").requires_grad_(how != "frozen")
    after = nn.Flatten(2) if images else nn.Identity()
    model = nn.Sequential(norm, after, nn.Linear(12 if images else 5, 2))
    x = torch.randn(9, 5, 3, 4) * 3 + 1 if images else torch.randn(9, 5) * 3 + 1
    if how == "bfloat16":
        model, x = model.bfloat16(), x.bfloat16()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        loss = model(x).float().square().mean()
        loss.backward()
        watch.step(loss)
    view = trainhealth.load(tmp_path / "run").view
    measured = [view.columns(f"batchnorm_{name}").place("0").values[0] for name in ("mean_gap", "variance_ratio")]
    assert measured == pytest.approx(expected_statistics(norm, x), rel=0.02 if how == "bfloat16" else 1e-3)


def test_batch_norm_without_running_statistics_is_left_out(tmp_path: Path) -> None:
    """There is nothing to compare with; nor is there for other normalisations."""
    model = nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.LayerNorm(3), nn.Linear(3, 2))
    run = Training(tmp_path, model)
    run.step()
    assert not len(run.view().columns("batchnorm_mean_gap"))


# --- evaluations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("forgotten", [False, True])
def test_the_first_forward_of_an_evaluation(
    tmp_path: Path, context: Callable[[], AbstractContextManager[object]], forgotten: bool
) -> None:
    """Its input and the modules' mode stand in the next sample; what follows in the evaluation is not looked at."""
    run = Training(tmp_path)
    run.step()
    run.step()
    first = torch.randn(32, 3) * 4 - 1
    if not forgotten:
        run.model.eval()
    run.predict(first, context)
    run.predict(torch.randn(32, 3) * 100, context)
    run.model.train()
    run.step()
    run.step()
    view = run.view()
    series = view.series("evaluation_input_mean")
    assert series.steps.tolist() == [2]
    assert series.values.tolist() == [pytest.approx(float(first.mean()), rel=1e-4)]
    assert values(view, "evaluation_input_std") == [pytest.approx(float(first.std(correction=0)), rel=1e-4)]
    assert values(view, "evaluation_training_mode") == [float(forgotten)]
    assert values(view, "training_mode") == [1.0] * 4


def test_forwards_without_gradients_inside_every_step_are_no_evaluation(tmp_path: Path) -> None:
    """Pseudo-labels or the targets of a Q function: the model trains, and is rightly in training mode."""
    run = Training(tmp_path)
    for _ in range(6):
        run.step(before=lambda: run.predict(torch.randn(16, 3)))
    for _ in range(6):
        run.predict(torch.randn(16, 3))
        run.step()
    view = run.view()
    # the first one between two steps follows the last one inside a step
    assert values(view, "evaluation_training_mode") == []


def test_an_evaluation_after_every_step_is_recognised(tmp_path: Path) -> None:
    """By the model's mode, or (where `eval` was forgotten) by a validation set that is the same tensor each time."""
    validation = torch.randn(16, 3)
    forgotten, right = Training(tmp_path / "forgotten"), Training(tmp_path / "right")
    for _ in range(4):
        forgotten.step()
        forgotten.predict(validation)
        right.step()
        right.model.eval()
        right.predict(torch.randn(16, 3))
        right.model.train()
    assert set(values(forgotten.view(), "evaluation_training_mode")) == {1.0}
    assert set(values(right.view(), "evaluation_training_mode")) == {0.0}


def test_a_look_before_the_first_step_is_no_evaluation(tmp_path: Path) -> None:
    """A forward on made-up data, for shapes or lazy layers."""
    run = Training(tmp_path)
    run.predict(torch.zeros(2, 3))
    for _ in range(3):
        run.step()
    view = run.view()
    assert values(view, "evaluation_training_mode") == values(view, "evaluation_input_std") == []


def test_evaluations_of_token_models_have_a_mode_and_no_moments(tmp_path: Path) -> None:
    """Integer inputs have no mean; the mode is looked at all the same. Keyword arguments are inputs, too."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.drop, self.fc = nn.Embedding(7, 4), nn.Dropout(0.1), nn.Linear(4, 7)

        def forward(self, *, ids: Tensor) -> Tensor:
            return self.fc(self.drop(self.embedding(ids)))

    model, ids = Tokens(), torch.randint(0, 7, (4, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(3):
            loss = model(ids=ids).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            with torch.no_grad():
                model.eval()(ids=ids)
                model.train()
    view = trainhealth.load(tmp_path / "run").view
    assert values(view, "evaluation_training_mode") == [0.0, 0.0]
    assert values(view, "evaluation_input_mean") == []


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:DeprecationWarning")  # people use it all the same
def test_a_trace_of_the_model_records_nothing_of_ours(tmp_path: Path) -> None:
    """`torch.jit.trace` between two steps gives the same graph as without watching."""

    def operations(model: nn.Module) -> list[str]:
        with torch.no_grad():
            traced = torch.jit.trace(model, torch.ones(2, 3), check_trace=False)
        return [node.kind() for node in traced.inlined_graph.nodes()]

    expected = operations(net().eval())
    run = Training(tmp_path)
    run.step()
    run.step()
    run.model.eval()
    assert operations(run.model) == expected
    run.watch.close()


def test_a_compiled_model_is_evaluated_like_any_other(tmp_path: Path) -> None:
    """The evaluation's input and mode are seen from outside of the compiled code."""
    torch._dynamo.reset()
    model = net()
    compiled = torch.compile(model, backend="eager")
    run = Training(tmp_path, compiled)
    for _ in range(2):
        run.step()
    compiled.eval()
    inputs = torch.randn(16, 3) + 5
    run.predict(inputs)
    compiled.train()
    run.step()
    view = run.view()
    assert values(view, "evaluation_training_mode") == [0.0]
    assert values(view, "evaluation_input_mean") == [pytest.approx(float(inputs.mean()), rel=1e-4)]


@pytest.mark.parametrize("make", ZOO, ids=lambda make: make.__name__)
def test_evaluations_and_outputs_of_any_model_are_only_looked_at(make: Callable[[], Animal], tmp_path: Path) -> None:
    """With evaluations between the steps and outputs passed as they are, training is the same with and without us."""

    def trained(run_dir: Path | None) -> list[object]:
        torch.manual_seed(1)
        animal = make()
        watch = None
        if run_dir is not None:
            watch = trainhealth.watch(animal.model, animal.optimizer, run_dir=run_dir, overhead=1.0)
        seen: list[object] = []
        for number, (loss, outputs, targets, _) in enumerate(animal.steps()):
            seen.append(loss.detach().clone())
            if watch is not None:
                watch.step(loss, outputs=outputs, targets=targets)
            with torch.inference_mode() if number % 2 else torch.no_grad():
                animal.model.train(number % 3 == 0)
                animal.forward(animal.model, animal.batches[0][0])
                animal.model.train()
        if watch is not None:
            watch.close()
        return [seen, dict(animal.model.state_dict()), torch.get_rng_state()]

    assert_same(trained(None), trained(tmp_path / "run"), make.__name__)
    view = trainhealth.load(tmp_path / "run").view
    assert not [event for event in view.events if event.event.endswith("-disabled")]
    assert len(view.series("target_minimum"))
