"""What a step is: forwards, backwards and updates are matched to calls of `step` by the order in which they happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth
from trainhealth.series import RunView


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))


def batch(size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(size, 2), torch.randint(0, 2, (size,))


def view(folder: Path) -> RunView:
    return trainhealth.load(folder).view


@pytest.mark.parametrize("order", ["after", "before"])
def test_step_may_stand_before_or_after_the_update(tmp_path: Path, order: str) -> None:
    """Both orders give one record a step, with the update that belongs to it."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(5):
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            if order == "before":
                watch.step(loss)
            optimizer.step()
            if order == "after":
                watch.step(loss)
    run = view(tmp_path / "run")
    assert run.series("train_loss").values.tolist() == pytest.approx(losses, rel=1e-8)
    assert run.columns("update_ratio").steps.tolist() == [0, 1, 2, 3, 4]
    assert (run.columns("update_ratio").values > 0).all()


def test_micro_batches_are_merged_by_size(tmp_path: Path) -> None:
    """Calls without an update between them are one step: the loss is the mean weighted by batch size."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sums = [torch.zeros_like(p) for p in model.parameters()]
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        losses = []
        for size in (4, 12):
            x, y = batch(size)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            losses.append((loss.item(), size))
            if size == 12:
                sums = [p.grad.norm().item() for p in model.parameters()]
                optimizer.step()
            watch.step(loss, targets=y)
    run = view(tmp_path / "run")
    expected = sum(loss * size for loss, size in losses) / 16
    assert run.series("train_loss").values.tolist() == [pytest.approx(expected, rel=1e-8)]
    assert run.series("batch_size").values.tolist() == [16]
    gradient = run.columns("parameter_gradient_norm").values[0].tolist()
    assert gradient == pytest.approx(sums, rel=1e-4)  # of the accumulated gradient, not of the first part


def test_without_an_optimizer_every_call_is_a_step(tmp_path: Path) -> None:
    """Parameters changed by hand are seen between one call and the next."""
    model = net()
    with trainhealth.watch(model, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(3):
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= 0.1 * p.grad
            watch.step(loss)
    run = view(tmp_path / "run")
    assert len(run.series("train_loss")) == 3
    assert (run.columns("update_ratio").values > 0).all()


def test_evaluation_between_steps_is_no_step(tmp_path: Path) -> None:
    """Forwards without gradients, and forwards that no backward reaches, leave no statistics behind."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(3):
            with torch.no_grad():
                model(100 * torch.ones(50, 2))
            model(100 * torch.ones(50, 2))  # a careless evaluation, with gradients enabled
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
            watch.epoch(validation_loss=1.0)
    run = view(tmp_path / "run")
    assert len(run.series("train_loss")) == 3
    assert (run.columns("input_maximum").values < 100).all()
    assert [epoch.step for epoch in run.epochs] == [1, 2, 3]


def test_a_gan_of_two_models_is_one_run(tmp_path: Path) -> None:
    """One call of `step` ends a step of both players; losses and layers carry the players' names."""
    torch.manual_seed(0)
    generator, critic = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 4), nn.LeakyReLU(), nn.Linear(4, 1))
    models = {"generator": generator, "critic": critic}
    optimizers = {name: torch.optim.Adam(model.parameters(), lr=1e-3) for name, model in models.items()}
    critic_norms = []
    with trainhealth.watch(models, optimizers, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(4):
            fake = generator(torch.randn(8, 2))
            critic_loss = critic(fake.detach()).mean() - critic(torch.randn(8, 2)).mean()
            optimizers["critic"].zero_grad()
            critic_loss.backward()
            critic_norms.append(critic[0].weight.grad.norm().item())
            optimizers["critic"].step()
            generator_loss = -critic(fake).mean()
            optimizers["generator"].zero_grad()
            generator_loss.backward()
            optimizers["generator"].step()
            watch.step({"generator": generator_loss, "critic": critic_loss})
    run = view(tmp_path / "run")
    assert len(run.series("loss/generator")) == len(run.series("loss/critic")) == len(run.series("train_loss")) == 4
    names = run.columns("parameter_gradient_norm").places
    assert names[0] == "generator.weight"
    seen = run.columns("parameter_gradient_norm").place("critic.0.weight").values.tolist()
    assert seen == pytest.approx(critic_norms, rel=1e-4)  # of the critic's own backward, not of the generator's
    activations = run.columns("activation_std")
    assert activations.places == ("generator", "critic.0", "critic.0/leaky_relu", "critic.2")
    assert (activations.place("generator").values > 0).sum() == 4  # its forward is that of the step, in both players


def test_a_recurrent_net_that_wants_time_first(tmp_path: Path) -> None:
    """Of inputs [time, examples, features] the batch size is the second axis, with and without targets."""
    torch.manual_seed(0)
    model = nn.LSTM(3, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for number in range(40):
            inputs, targets = torch.randn(7, 5, 3), torch.randn(7, 5, 4)
            loss = F.mse_loss(model(inputs)[0], targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, targets=targets if number % 2 else None)
    run = view(tmp_path / "run")
    assert run.series("batch_size").values.tolist() == [5]
    assert run.columns("activation_std").places == ("LSTM",)


def test_the_rate_is_the_one_that_the_update_used(tmp_path: Path) -> None:
    """A scheduler that steps right after the optimizer does not shift the logged rate by one."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for _ in range(4):
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            watch.step(loss)
    run = view(tmp_path / "run")
    assert run.learning_rate.values.tolist() == pytest.approx([1.0, 1.0, 0.1, 0.1])
    assert run.series("learning_rate").steps.tolist() == [0, 2]  # logged only when it changes


def test_a_step_number_can_be_given(tmp_path: Path) -> None:
    """An adapter counts as its framework does."""
    model = net()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        for number in (10, 11, 12):
            watch.step(1.0, step=number)
    assert view(tmp_path / "run").series("train_loss").steps.tolist() == [10, 11, 12]


def test_a_resumed_run_goes_on_in_its_folder(tmp_path: Path) -> None:
    """`resume` continues after the last step; a restored optimizer's own count goes back and replaces later steps."""
    folder = tmp_path / "run"
    model = net()
    for options in ({}, {"resume": True}):
        with trainhealth.watch(model, run_dir=folder, **options) as watch:
            for _ in range(3):
                watch.step(1.0)
            watch.epoch(validation_loss=1.0)
        with (folder / "events-0.jsonl").open("a") as events:
            events.write('{"kind":"step","st')  # as a killed process leaves it
    assert view(folder).series("train_loss").steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert [epoch.number for epoch in view(folder).epochs] == [0, 1]
    assert view(folder).skipped != ()  # the torn line in the middle is shown, and nothing after it is lost

    optimizer = torch.optim.Adam(model.parameters())
    model(batch()[0]).sum().backward()
    optimizer.step()  # its state says: one step has been taken
    with trainhealth.watch(model, optimizer, run_dir=folder) as watch:
        watch.step(2.0)
        optimizer.step()
    resumed = view(folder).series("train_loss")
    assert (resumed.steps.tolist(), resumed.values.tolist()) == ([0, 1], [1.0, 2.0])


def test_values_of_any_name(tmp_path: Path) -> None:
    """`log` and `epoch` take any name; a near miss of a signal warns once and says which."""
    with trainhealth.watch(net(), run_dir=tmp_path / "run") as watch:
        watch.step(1.0)
        watch.log(f1=0.5, text="no number")
        with pytest.warns(UserWarning, match="did you mean 'validation_loss'"):
            watch.epoch(val_loss=torch.tensor(2.0))
        watch.epoch(validation_loss=1.0, train_accuracy=float("nan"))
    run = view(tmp_path / "run")
    assert run.series("f1").values.tolist() == [0.5]
    assert run.series("validation_loss").values.tolist() == [1.0]
    assert [epoch.number for epoch in run.epochs] == [0, 1]


LOSSES: dict[str, Callable[[torch.Tensor], object]] = {
    "tensor": lambda loss: loss,
    "number": lambda loss: loss.item(),
    "mapping": lambda loss: {"data": loss, "penalty": 0.0},
    "vector": lambda loss: loss.expand(2),
    "text": lambda loss: "0.5",
    "none": lambda loss: None,
    "nonsense": lambda loss: object(),
}


@pytest.mark.filterwarnings("ignore::trainhealth.hooks.warning.TrainHealthWarning")
@pytest.mark.parametrize("kind", LOSSES)
def test_whatever_is_passed_as_loss_never_raises(tmp_path: Path, kind: str) -> None:
    """A loss of the wrong kind costs its number, never the training."""
    model = net()
    with trainhealth.watch(model, run_dir=tmp_path / "run") as watch:
        for _ in range(2):
            watch.step(LOSSES[kind](model(batch()[0]).sum()))  # type: ignore[arg-type]
        watch.step(3.0)
    run = view(tmp_path / "run")
    assert run.series("train_loss").values[-1] == 3.0
    assert run.times.steps.tolist() == [0, 1, 2]


@pytest.mark.parametrize("ends", ["with an epoch", "with the run"])
def test_a_loop_that_never_updates_is_logged(tmp_path: Path, ends: str) -> None:
    """Its calls of `step` are no micro-batches of a step that never comes: the illness has to show in the log."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run", overhead=1.0) as watch:
        for _ in range(6):
            x, y = batch()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            watch.step(loss)
        if ends == "with an epoch":
            watch.epoch()
            assert len(view(tmp_path / "run").series("train_loss")) == 6
    assert view(tmp_path / "run").series("train_loss").steps.tolist() == list(range(6))
