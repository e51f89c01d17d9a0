"""The check of the learning rate: suggests, judges the optimizer's own rate, and says what it left out."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

import trainhealth
from trainhealth.checkups.rate_range import planned_rate
from trainhealth.diagnosis import Report


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def data() -> list[tuple[torch.Tensor, torch.Tensor]]:
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 16, 6, generator=random)
    truth = torch.randn(6, 3, generator=random)
    return [(one, (one @ truth + 0.5 * torch.randn(16, 3, generator=random)).argmax(1)) for one in inputs]


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))


def look(
    made: nn.Module, optimizer: torch.optim.Optimizer | None, seconds: float = 3600.0, total_steps: int | None = None
) -> Report:
    return trainhealth.checkup(
        made,
        nn.CrossEntropyLoss(),
        data(),
        optimizer,
        only=["rate-range"],
        quick=True,
        seconds=seconds,
        total_steps=total_steps,
        progress=False,
    )


@pytest.mark.parametrize(("optimizer", "rate"), [("SGD", 0.1), ("Adam", 0.01), ("AdamW", 0.01), ("RMSprop", 3e-3)])
def test_healthy_rate_is_not_blamed_and_a_rate_is_suggested(optimizer: str, rate: float):
    """A rate that trains well gives no finding; the suggestion lies below the rate that breaks."""
    made = model()
    report = look(made, getattr(torch.optim, optimizer)(made.parameters(), lr=rate))
    assert not report.findings
    assert report.advice["learning_rate"] < report.advice["learning_rate_breaks"]
    assert [figure.kind for figure in report.figures] == ["curve", "curve"]
    assert "learning_rate_because" in report.advice


@pytest.mark.parametrize(
    ("optimizer", "rate", "said"), [("SGD", 1e-6, "too low"), ("Adam", 1e-7, "too low"), ("Adam", 10.0, "too high")]
)
def test_unsuited_rate_is_named_with_the_better_one(optimizer: str, rate: float, said: str):
    """A hopeless rate is one finding, which recommends the suggested rate as a change that a program can apply."""
    made = model()
    report = look(made, getattr(torch.optim, optimizer)(made.parameters(), lr=rate))
    (finding,) = report.findings
    assert finding.code == "CU15"
    assert said in finding.message
    (advice,) = finding.recommendations
    assert advice.change is not None
    assert advice.change.from_ == rate
    assert advice.change.to == pytest.approx(report.advice["learning_rate"], rel=0.06)


def test_rate_that_a_schedule_raises_is_judged_by_its_peak():
    """A warm-up that begins near zero is not called too low."""
    made = model()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    LambdaLR(optimizer, lambda step: min((step + 1) / 10_000, 1.0))
    assert planned_rate(optimizer) == 0.01
    assert not look(made, optimizer).findings


def test_peak_of_one_cycle_is_the_planned_rate():
    """OneCycleLR keeps its peak in the groups."""
    optimizer = torch.optim.SGD(model().parameters(), lr=0.1)
    OneCycleLR(optimizer, max_lr=0.5, total_steps=100)
    assert planned_rate(optimizer) == 0.5


def test_high_peak_of_a_warm_up_is_not_called_too_high():
    """What breaks from the start may be right after a warm-up, which the short trainings leave out."""
    made = model()
    optimizer = torch.optim.Adam(made.parameters(), lr=10.0)
    LambdaLR(optimizer, lambda step: min((step + 1) / 10_000, 1.0))
    assert not look(made, optimizer).findings


def test_without_an_optimizer_a_rate_is_suggested_and_none_is_judged():
    """AdamW stands in, and its default rate is nobody's fault."""
    report = look(model(), None)
    assert not report.findings
    assert 1e-4 < report.advice["learning_rate"] < 1.0


def test_without_time_it_says_so():
    """With no time for the steps, the check is not made, and says what to pass."""
    made = model()
    report = look(made, torch.optim.SGD(made.parameters(), lr=0.1), seconds=1e-3)
    assert "learning_rate" not in report.advice
    (silent,) = report.not_checked
    assert silent.code == "CU15"
    assert "seconds=" in silent.because
    assert not report.looked_at


@pytest.mark.parametrize(
    ("optimizer", "settings", "momentum", "because"),
    [
        ("SGD", {"momentum": 0.95}, 0.95, "found with it"),
        ("SGD", {}, 0.9, "a tenth of the rate"),
        ("RMSprop", {}, None, ""),
    ],
)
def test_momentum_goes_with_the_rate(
    optimizer: str, settings: dict[str, float], momentum: float | None, because: str
) -> None:
    """A rate that was found without momentum is ten times too much with 0.9, and the advice says so."""
    made = model()
    advice = look(made, getattr(torch.optim, optimizer)(made.parameters(), lr=0.01, **settings)).advice
    assert advice.get("momentum") == momentum
    assert because in advice.get("momentum_because", "")


class Clock:
    """What time.monotonic returns: half a second more after each forward of a slow model."""

    now = 0.0


class Slow(nn.Sequential):
    """Takes half a second by that clock."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        Clock.now += 0.5
        outputs: torch.Tensor = super().forward(inputs)
        return outputs


@pytest.mark.parametrize(("seconds", "breaks"), [(50.0, True), (10.0, False)])
def test_model_too_slow_for_a_search_gets_a_cautious_rate(
    seconds: float, breaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one whose updates are a thousandth of the weights; with time for a range test, its limit is told."""
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    made = Slow(*model())
    report = look(made, torch.optim.SGD(made.parameters(), lr=0.1), seconds)
    assert "learning_rate" not in report.advice
    assert ("learning_rate_breaks" in report.advice) == breaks
    assert 1e-3 < report.advice["cautious_learning_rate"] < 1.0
    assert "0.5 s" in report.not_checked[0].because


def test_cautious_rate_does_not_depend_on_the_optimizers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Updates grow in proportion to the rate, so that it is told from any."""
    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    told = []
    for rate in (1e-5, 1e-3):
        made = Slow(*model())
        told.append(look(made, torch.optim.SGD(made.parameters(), lr=rate), 10.0).advice["cautious_learning_rate"])
    assert told[0] == pytest.approx(told[1], rel=0.1)


@pytest.mark.parametrize(("total_steps", "blamed"), [(130, True), (100_000, False)])
def test_rate_is_called_too_low_for_the_run_and_not_for_a_piece_of_it(total_steps: int, blamed: bool) -> None:
    """What falls behind within a hundred steps has time to catch up in a hundred thousand."""
    made = model()
    report = look(made, torch.optim.SGD(made.parameters(), lr=2e-3), total_steps=total_steps)
    assert bool(report.findings) == blamed


@pytest.mark.parametrize("trains", [True, False])
def test_rate_against_another_model_that_trains_is_not_looked_for(trains: bool) -> None:
    """A generator gets furthest with an absurd rate while its opponent stands still; a frozen model is no opponent."""
    opponent, made = nn.Linear(6, 1).train(trains), nn.Linear(6, 6)

    def forward(generator: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return nn.functional.softplus(-opponent(generator(batch[0]))).mean()

    optimizer = torch.optim.Adam(made.parameters(), lr=2e-4)
    report = trainhealth.checkup(
        made, None, data(), optimizer, forward=forward, only=["rate-range"], quick=True, seconds=3600, progress=False
    )
    assert ("learning_rate" in report.advice) != trains
    assert [item.because for item in report.not_checked if "another model that trains" in item.because] or not trains


def test_model_that_no_rate_moves_is_not_judged():
    """Labels that have nothing to do with the inputs leave nothing to search for."""
    made = model()
    noise = [
        (inputs, torch.randint(0, 3, (16,), generator=torch.Generator().manual_seed(i)))
        for i, (inputs, _) in enumerate(data())
    ]
    optimizer = torch.optim.SGD(made.parameters(), lr=1e-6)
    report = trainhealth.checkup(
        made, nn.CrossEntropyLoss(), noise, optimizer, only=["rate-range"], quick=True, seconds=3600, progress=False
    )
    assert not report.findings
    assert "learning_rate" not in report.advice
    assert "no learning rate made" in report.not_checked[0].because
