"""Short trainings start from the same place and are judged on batches that they have not seen."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainhealth.checkups.batches import Batches
from trainhealth.checkups.coming import Coming
from trainhealth.checkups.short_training import ShortTraining, loss_on, rate_of, rate_shares, set_rate
from trainhealth.checkups.subject import Subject


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def batches(count: int, seed: int = 0) -> Batches:
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 8, 3, generator=random)
    return Batches([(one, one.sum(1, keepdim=True)) for one in inputs])


def subject(count: int = 10, optimizer: str = "SGD", validation: Batches | None = None) -> Subject:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.2), nn.Linear(8, 1))
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=0.01)
    return Subject(model, made, batches(count), nn.functional.mse_loss, validation=validation)


def test_two_trainings_with_the_same_rates_are_the_same():
    """Start, batches, their order and dropout do not depend on what was trained before."""
    train = ShortTraining(subject())
    first = train([0.05] * 12, 3)
    train([0.5] * 5)
    assert train([0.05] * 12, 3) == first


def test_as_many_looks_as_asked_for():
    """Held-out losses come at evenly spaced steps, the last one at the end."""
    course = ShortTraining(subject())([0.05] * 10, 4)
    assert len(course.losses) == 10
    assert len(course.held_out) == 4
    assert course.held_out[-1] < course.held_out[0]


def test_training_that_breaks_ends_early_with_infinite_looks():
    """A rate that explodes costs few steps, and what was not measured is infinite."""
    course = ShortTraining(subject())([1e4] * 200, 4)
    assert len(course.losses) < 20
    assert course.held_out == (math.inf,) * 4


def test_explosion_that_is_over_in_time_breaks_no_training():
    """RMSprop's first update is ten times as long as later ones: it comes back, where a range test has ended."""
    train, rates = ShortTraining(subject(optimizer="RMSprop")), [0.1] * 100
    course = train(rates, 4)
    assert max(course.losses) > 30 * course.losses[0]
    assert len(course.losses) == 100
    assert max(course.held_out) < 0.1 * course.losses[0]
    assert len(train(rates).losses) < 25


def test_explosion_that_lasts_ends_a_training_after_a_quarter():
    """A loss that stays high, and finite, is given a quarter of the steps."""
    course = ShortTraining(subject(optimizer="RMSprop"))([1.0] + [0.0] * 99, 4)
    assert len(course.losses) == 26
    assert course.held_out[1:] == (math.inf,) * 3


def test_held_out_batches_are_not_trained_on():
    """Of ten batches every fifth is judged on; with validation data all ten are trained on."""
    seen: set[float] = set()

    def watching(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            seen.add(float(targets[0]))
        return nn.functional.mse_loss(outputs, targets)

    without, with_validation = subject(), subject(validation=batches(2, seed=1))
    for one, expected in ((without, 8), (with_validation, 10)):
        one.loss_fn = watching
        seen.clear()
        ShortTraining(one)([0.01] * 30, 2)
        assert len(seen) == expected


def test_coming_batches_are_met_in_their_order_and_in_others_when_repeated() -> None:
    """With a validation split trainings meet what the loader will yield; a repeat meets it in another order."""
    inputs = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    dataset = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    loader = DataLoader(dataset, 4, shuffle=True, generator=torch.Generator().manual_seed(1))
    one = subject(validation=batches(2, seed=1))
    one.coming, one.loader_length = Coming(loader, torch.device("cpu")), 6
    seen: list[float] = []

    def watching(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            seen.append(float(targets[0]))
        return nn.functional.mse_loss(outputs, targets)

    one.loss_fn = watching
    train = ShortTraining(one)
    assert train.follow(12)
    met = []
    for repeat in (0, 1):
        seen.clear()
        train([0.01] * 12, 2, repeat)
        met.append(list(seen))
    loader.generator.manual_seed(1)  # as it was when the coming batches were remembered
    assert met[0] == [float(targets[0]) for _ in range(2) for _, targets in loader]
    assert met[0] != met[1]
    assert sorted(met[0]) == sorted(met[1])


def test_without_a_validation_split_no_order_is_followed() -> None:
    """A part of the batches drawn is held out, as ever."""
    one = subject()
    one.coming = Coming(DataLoader(TensorDataset(torch.ones(4, 3), torch.ones(4, 1))), torch.device("cpu"))
    assert not ShortTraining(one).follow(12)


def test_repeats_take_other_orders_and_hold_others_out():
    """What is held out once is trained on the next time; the same repeat is the same training."""
    one = subject()
    trained_on: set[float] = set()

    def watching(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():
            trained_on.add(float(targets[0]))
        return nn.functional.mse_loss(outputs, targets)

    one.loss_fn = watching
    train = ShortTraining(one)
    kept, courses = [], []
    for repeat in (0, 1, 1):
        trained_on.clear()
        courses.append(train([0.05] * 30, 3, repeat))
        kept.append(frozenset(trained_on))
    assert kept[0] != kept[1] == kept[2]
    assert len(kept[0] | kept[1]) == 10
    assert courses[0] != courses[1] == courses[2]


def test_one_batch_is_trained_and_judged_on():
    """With a single batch there is nothing to hold out, and it still works."""
    course = ShortTraining(subject(1))([0.05] * 5, 1)
    assert len(course.losses) == 5
    assert math.isfinite(course.held_out[0])


def test_users_model_and_optimizer_are_not_touched():
    """Training happens on copies."""
    one = subject(optimizer="Adam")
    before = {name: value.clone() for name, value in one.model.state_dict().items()}
    ShortTraining(one)([0.1] * 5, 1)
    assert all(torch.equal(value, before[name]) for name, value in one.model.state_dict().items())
    assert one.optimizer is not None
    assert not one.optimizer.state
    assert rate_of(one.optimizer) == 0.01


@pytest.mark.parametrize("tensor", [False, True])
def test_groups_keep_their_proportion(tensor: bool):
    """Of two groups with rates 0.1 and 0.01, the second always gets a tenth."""
    layers = [nn.Linear(2, 2), nn.Linear(2, 2)]
    rates = [torch.tensor(0.1), torch.tensor(0.01)] if tensor else [0.1, 0.01]
    groups = [{"params": layer.parameters(), "lr": rate} for layer, rate in zip(layers, rates, strict=True)]
    optimizer = torch.optim.Adam(groups)
    set_rate(optimizer, 1.0, rate_shares(optimizer))
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx([1.0, 0.1])


def test_looking_leaves_the_mode_of_every_layer():
    """A batch norm that is kept in evaluation mode stays so after a look."""
    one = subject()
    trial = one.fresh()
    trial.model[1].eval()  # type: ignore[index]  # the sequence of this file
    loss_on(trial, one.batches[:2])
    assert [module.training for module in trial.model] == [True, False, True]  # type: ignore[attr-defined]  # as above


def test_examples_of_a_short_last_batch_count_no_more_than_others() -> None:
    """The loss over batches of 8 and 2 examples is that over the ten."""
    one = subject()
    inputs, targets = torch.randn(10, 3, generator=torch.Generator().manual_seed(3)), torch.ones(10, 1)
    apart = Batches([(inputs[:8], targets[:8]), (inputs[8:], targets[8:])])
    trial = one.fresh()
    assert loss_on(trial, apart) == pytest.approx(loss_on(trial, Batches([(inputs, targets)])))


def test_easy_first_batch_is_not_the_measure_of_an_explosion():
    """The original loss is that of several batches: one that fits by chance does not make the others explosions."""
    one = subject()
    easy = [(inputs, targets * (0.001 if index == 0 else 10.0)) for index, (inputs, targets) in enumerate(batches(10))]
    one.batches = Batches(easy)
    assert len(ShortTraining(one)([0.0] * 30, 1).losses) == 30
