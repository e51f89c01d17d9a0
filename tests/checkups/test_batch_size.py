"""The gradient noise scale against one that is known, and what batches cost."""

from __future__ import annotations

import math
import time

import pytest
import torch
from torch import Tensor, nn

import trainhealth
from trainhealth.checkups.batch_size import BatchSize, resized
from trainhealth.checkups.batches import Batches
from trainhealth.checkups.noise_scale import Noise, measure_noise
from trainhealth.checkups.subject import Subject
from trainhealth.diagnosis import Report

RATE = 1e-4


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


class Mean(nn.Module):
    """Its gradient for an example x is w - x: of known mean and covariance."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(features))

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.weights - inputs).square().sum(1) / 2


def batches(size: int, count: int, mean: float, features: int = 10) -> Batches:
    random = torch.Generator().manual_seed(0)
    drawn = torch.randn(count, size, features, generator=random) + mean
    return Batches([(inputs, torch.zeros(size)) for inputs in drawn])


def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.mean()


@pytest.mark.parametrize("mean", [0.25, 1.0])
def test_noise_scale_is_the_variance_over_the_squared_mean(mean: float):
    """Ten features of variance 1 and mean m: the trace is 10, the squared gradient 10 m^2, the scale 1 / m^2."""
    drawn = batches(8, 200, mean)
    subject = Subject(Mean(10), None, drawn, loss_fn)
    noise = measure_noise(subject, subject.fresh(), list(drawn), 8)
    assert noise.scale == pytest.approx(1 / mean**2, rel=0.15)


def test_noise_scale_agrees_with_the_gradients_of_single_examples():
    """The same quantity from the covariance of the examples' gradients, written out."""
    drawn = batches(4, 100, 0.5)
    subject = Subject(Mean(10), None, drawn, loss_fn)
    gradients = -torch.cat([inputs for inputs, _ in drawn])
    trace, mean = gradients.var(0).sum(), gradients.mean(0)
    naive = float(trace / (mean.square().sum() - trace / len(gradients)))
    assert measure_noise(subject, subject.fresh(), list(drawn), 4).scale == pytest.approx(naive, rel=0.1)


def test_scale_is_infinite_where_no_gradient_shows():
    """Noise alone: as large a batch as one likes."""
    assert Noise(1, 10, small_norm=1.0, large_norm=0.1).scale == math.inf
    assert Noise(1, 10, small_norm=1.0, large_norm=0.05).scale == math.inf


@pytest.mark.parametrize(("small", "large"), [(1.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, 2.0)])
def test_scale_without_noise_or_with_broken_gradients_is_unknown(small: float, large: float):
    """Equal batches and gradients that are no numbers give no scale."""
    assert math.isnan(Noise(1, 10, small, large).scale)


def look(optimizer: str = "SGD", size: int = 8, count: int = 40) -> Report:
    model = Mean(10)
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=RATE)
    return trainhealth.checkup(
        model, loss_fn, list(batches(size, count, 0.2)), made, only=["batch-size"], seconds=3600, progress=False
    )


def test_advice_names_the_useful_batch_and_the_rates_that_go_with_others():
    """Noise scale 25: batches up to a power of two near it, and twice the batch below it asks for a higher rate."""
    report = look()
    assert report.advice["batch_size_at_most"] in (16, 32, 64)
    rates = report.advice["rates_by_batch_size"]
    assert rates["8"] == RATE
    assert 1.3 < rates["16"] / RATE < 2.0 < rates["32"] / RATE < 4.0
    assert not report.findings


def test_adaptive_optimizers_get_the_root():
    """For Adam the rate grows with the root of what it is for plain gradient descent."""
    plain, adam = look().advice["rates_by_batch_size"], look("Adam").advice["rates_by_batch_size"]
    assert adam["32"] / RATE == pytest.approx(math.sqrt(plain["32"] / RATE), rel=0.05)


def test_gradients_of_the_start_alone_give_no_batch_size():
    """Without time to train first, the noise at the start is told, and nothing is made of it."""
    subject = Subject(Mean(10), None, batches(8, 40, 0.2), loss_fn, deadline=-math.inf)
    assert set(BatchSize().run(subject).advice) == {"noise_scale_at_start"}


def test_noise_that_hides_the_gradient_is_told_in_examples():
    """Where no true gradient shows, the scale is more than all examples that were seen."""
    drawn = Batches([(torch.tensor([[sign], [0.0]]), torch.zeros(2)) for sign in (1.0, -1.0) * 4])
    assert BatchSize().run(Subject(Mean(1), None, drawn, loss_fn)).advice["noise_scale_at_start"] == "more than 16"


def test_costs_are_shown_by_batch_size():
    """A picture of the speed, and one of the memory, which grows with the batch."""
    speed, memory = look().figures
    assert speed.labels == memory.labels == ("2", "4", "8", "16", "32")
    assert all(rate > 0 for rate in speed.series["examples a second"])
    kept = memory.series["MiB"]
    assert list(kept) == sorted(kept)


def test_sizes_that_would_take_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch):
    """At a second an example, ten seconds are enough for the smallest batch of two, and not for three of four."""
    now = [0.0]

    def slow(outputs: Tensor, targets: Tensor) -> Tensor:
        now[0] += len(outputs)
        return outputs.mean()

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    subject = Subject(Mean(10), None, batches(8, 2, 0.2), slow, deadline=10.0)
    assert not BatchSize().run(subject).figures
    subject.deadline = now[0] + 21.0
    (speed, _) = BatchSize().run(subject).figures
    assert speed.labels == ("2", "4")


def test_one_batch_is_enough_for_the_costs_but_not_for_the_noise():
    """The noise scale needs several batches."""
    report = look(count=1)
    assert not report.advice
    assert len(report.figures) == 2


@pytest.mark.parametrize("wanted", [2, 8, 20])
def test_resized_batch_has_the_wanted_length_everywhere(wanted: int):
    """Tensors with an example axis are cut or repeated, others are left."""
    batch = {"input": torch.arange(8.0), "labels": torch.arange(8), "scale": torch.ones(3)}
    made = resized(batch, 8, wanted)
    assert [len(value) for value in made.values()] == [wanted, wanted, 3]
    assert made["labels"].tolist() == [index % 8 for index in range(wanted)]


def test_scale_beyond_the_examples_seen_is_called_at_least_that():
    """Of 64 examples nothing can be told about batches of thousands."""
    model = Mean(10)
    report = trainhealth.checkup(
        model, loss_fn, list(batches(8, 8, 0.04)), only=["batch-size"], seconds=3600, progress=False
    )
    assert report.advice["batch_size_at_most"] == 64
    assert "64 or more" in report.advice["batch_size_because"]
