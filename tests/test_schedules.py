"""Schedules are told from the rates alone; PyTorch's own schedulers make the truth."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as lr

from trainhealth.rate_shapes import Kind
from trainhealth.schedules import recognise
from trainhealth.series import Series

STEPS = 1000


def rates_of(make, steps=STEPS, each=1, rate=0.1):
    """The rate in force at every step, of a scheduler that is stepped once in `each` steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], rate)
    scheduler, rates = make(optimizer), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR steps its schedulers with an argument that is deprecated
        for step in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if (step + 1) % each == 0:
                scheduler.step()
    return np.array(rates)


def told(rates, keep=slice(None)):
    return recognise(Series("learning_rate", np.arange(len(rates))[keep], np.asarray(rates, np.float64)[keep]))


def inverse_time(optimizer):
    return lr.LambdaLR(optimizer, lambda step: 1 / (1 + 0.02 * step))


def noam(optimizer):
    return lr.LambdaLR(optimizer, lambda step: min((step + 1) / 50, (50 / (step + 1)) ** 0.5))


def warmed_cosine(optimizer):
    rise, fall = lr.LinearLR(optimizer, 0.01, 1.0, 100), lr.CosineAnnealingLR(optimizer, STEPS - 100)
    return lr.SequentialLR(optimizer, [rise, fall], [100])


SMOOTH = {
    "constant": (lambda o: lr.ConstantLR(o, 1.0, 1), Kind.CONSTANT),
    "linear": (lambda o: lr.LinearLR(o, 1.0, 0.01, STEPS), Kind.LINEAR),
    "cosine": (lambda o: lr.CosineAnnealingLR(o, STEPS), Kind.COSINE),
    "exponential": (lambda o: lr.ExponentialLR(o, 0.01 ** (1 / STEPS)), Kind.EXPONENTIAL),
    "1/t": (inverse_time, Kind.INVERSE_TIME),
    "inverse square root": (noam, Kind.INVERSE_SQUARE_ROOT),
    "warm-up and cosine": (warmed_cosine, Kind.COSINE),
    "one-cycle": (lambda o: lr.OneCycleLR(o, 0.1, total_steps=STEPS + 1), Kind.ONE_CYCLE),
}
VIEWS = {"every step": slice(None), "every fiftieth step": slice(0, None, 50)}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_schedules_are_named(name, view):
    """From the rate of every step, and from twenty points of it."""
    make, kind = SMOOTH[name]
    found = told(rates_of(make), VIEWS[view])
    assert found.kind is kind
    assert found.decays == ()
    assert found.restarts == ()


@pytest.mark.parametrize("name", ["linear", "cosine", "exponential", "1/t", "constant"])
@pytest.mark.parametrize("once", [False, True], ids=["steps", "epochs"])
def test_schedules_by_epoch_are_named(name, once):
    """A scheduler stepped once in 25 steps makes a staircase; a log by epoch has one value a stair."""
    makers = {
        "linear": lambda o: lr.LinearLR(o, 1.0, 0.01, 40),
        "cosine": lambda o: lr.CosineAnnealingLR(o, 40),
        "exponential": lambda o: lr.ExponentialLR(o, 0.9),
        "1/t": lambda o: lr.LambdaLR(o, lambda epoch: 1 / (1 + 0.3 * epoch)),
        "constant": lambda o: lr.ConstantLR(o, 1.0, 1),
    }
    found = told(rates_of(makers[name], each=25), slice(0, None, 25) if once else slice(None))
    assert found.kind is SMOOTH[name][1]
    assert found.decays == ()


def test_a_warm_up_ends_where_the_rate_is_full():
    """And is part of the name."""
    found = told(rates_of(warmed_cosine))
    assert found.warm_up_end == found.peak_step == 100
    assert found.peak == pytest.approx(0.1)
    assert found.name == "warm-up, then cosine decay"
    assert found.rises_between(0, 50)
    assert not found.rises_between(100, 900)


def test_a_run_that_has_only_warmed_up_is_rising():
    """What comes after the rise is not known yet."""
    assert told(rates_of(warmed_cosine)[:80]).kind is Kind.RISING
    assert told(rates_of(warmed_cosine)[:80]).name == "warm-up"


@given(st.integers(20, 300), st.sampled_from([0.1, 0.2, 0.5]))
@settings(max_examples=30, deadline=None)
def test_cuts_are_found_where_they_are(size, factor):
    """Every StepLR: each cut at its step, with the rates on both sides."""
    found = told(rates_of(lambda o: lr.StepLR(o, size, factor), 700))
    assert found.kind is Kind.STEP
    assert [cut.step for cut in found.decays] == list(range(size, 700, size))
    assert all(cut.after == pytest.approx(factor * cut.before) for cut in found.decays)


def test_cuts_at_uneven_distances_look_like_those_of_a_plateau_scheduler():
    """Three or more by the same factor; two could be anything."""
    loss = [*[1.0] * 20, *np.linspace(1, 0.5, 40), *[0.5] * 90]

    def rates():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
        scheduler = lr.ReduceLROnPlateau(optimizer, factor=0.5, patience=10)
        for value in loss:
            yield optimizer.param_groups[0]["lr"]
            scheduler.step(value)

    found = told(list(rates()))
    assert found.kind is Kind.DROPS
    assert len(found.decays) >= 3
    assert told(rates_of(lambda o: lr.MultiStepLR(o, [500, 750], 0.1))).kind is Kind.STEP


@pytest.mark.parametrize(("multiplier", "restarts"), [(1, [250, 500, 750]), (2, [250, 750])])
def test_restarts_are_found(multiplier, restarts):
    """The steps at which the rate jumps back up; the shape is that of the first cycle."""
    found = told(rates_of(lambda o: lr.CosineAnnealingWarmRestarts(o, 250, multiplier)))
    assert list(found.restarts) == restarts
    assert found.name == f"cosine decay with {len(restarts)} restarts"
    assert found.rises_between(240, 260)
    assert not found.rises_between(260, 490)


CYCLES = {
    "triangular": lambda o: lr.CyclicLR(o, 0.001, 0.1, step_size_up=125),
    "triangular, halved each time": lambda o: lr.CyclicLR(o, 0.001, 0.1, step_size_up=125, mode="triangular2"),
    "a cosine beyond its half period": lambda o: lr.CosineAnnealingLR(o, 125),
}


@pytest.mark.parametrize("name", CYCLES)
def test_waves_are_cyclic(name):
    """The rate comes back up as gradually as it went down, which no warm restart does."""
    found = told(rates_of(CYCLES[name]))
    assert found.kind is Kind.CYCLIC
    assert found.name == f"cyclic, down and up {len(found.restarts)} times"
    assert len(found.restarts) in (3, 4)  # the first one begins at the bottom or at the top


def test_restarts_that_are_warmed_up_are_no_waves():
    """A rise over a twentieth of each cycle."""
    found = told(rates_of(lambda o: lr.LambdaLR(o, lambda s: min(max(s % 250, 0.6) / 12, 1 - (s % 250 - 12) / 250))))
    assert found.name == "warm-up, then linear decay with 3 restarts"


def test_a_one_cycle_of_twenty_steps_is_named():
    """Its peak lies between two steps, so that the highest logged rate is on its way down."""
    assert told(rates_of(lambda o: lr.OneCycleLR(o, 0.1, total_steps=21), 20)).kind is Kind.ONE_CYCLE


def test_cuts_between_the_steps_of_a_sparse_log_are_cuts():
    """StepLR each 75 steps, logged each 50: some rates are seen once, and the distances are even as far as is known."""
    assert told(rates_of(lambda o: lr.StepLR(o, 75), 300), slice(0, None, 50)).kind is Kind.STEP
    assert told(rates_of(lambda o: lr.StepLR(o, 75), 300), [3, 20, 60, 90, 130, 170, 210, 215, 280]).kind is Kind.STEP


@pytest.mark.parametrize("name", ["linear", "1/t", "exponential", "inverse square root"])
@pytest.mark.parametrize("seed", range(5))
def test_logs_at_uneven_steps_are_named(name, seed):
    """Twenty steps at random, the first one among them."""
    make, kind = SMOOTH[name]
    chosen = np.random.default_rng(seed).choice(np.arange(1, STEPS), 20, replace=False)
    first = 49 if name == "inverse square root" else 0  # its peak
    steps = np.sort(np.append(chosen[chosen > first], first))
    assert told(rates_of(make), steps).kind is kind


def test_a_floor_does_not_take_the_name_from_a_fall():
    """The last of twelve steps is cut short by the floor, and the rate stands there."""
    found = told([0.1 * max(0.05, 1 - step / 12) for step in range(20)])
    assert found.kind is Kind.LINEAR


MILLION = np.arange(1_000_000) / 1_000_000
LONG = {
    "cosine decay": 0.5 + 0.5 * np.cos(np.pi * MILLION),
    "linear decay": 1 - MILLION,
    "exponential decay": 0.5**MILLION,
    "cosine decay with 3 restarts": 0.5 + 0.5 * np.cos(np.pi * (4 * MILLION % 1)),
    "warm-up, then constant": np.minimum(MILLION / 0.02, 1.0),
    "constant": np.ones_like(MILLION),
}


@pytest.mark.parametrize("name", LONG)
def test_schedules_of_a_million_steps_are_named(name):
    """From one step to the next their rates change by less than what is taken for rounding, or hardly by more."""
    assert told(1e-3 * LONG[name]).name == name
    assert told((1e-3 * LONG[name]).astype(np.float32)).name == name


@pytest.mark.parametrize("name", SMOOTH)
def test_rounding_to_single_precision_changes_no_name(name):
    """Logged as float32, with an error in the last digit."""
    make, kind = SMOOTH[name]
    rates = rates_of(make).astype(np.float32)
    jitter = 1 + np.random.default_rng(0).integers(-1, 2, STEPS) * np.finfo(np.float32).eps
    assert told((rates * jitter).astype(np.float32)).kind is kind


def test_a_fall_that_goes_on_is_named_before_its_end():
    """Three tenths of a cosine are no straight line."""
    assert told(rates_of(lambda o: lr.CosineAnnealingLR(o, STEPS))[:300]).kind is Kind.COSINE


def test_a_rate_that_stands_before_it_falls_keeps_the_fall_its_name():
    """Warm-up, stable, decay: the shape is that of the decay alone."""
    assert told(rates_of(lambda o: lr.LambdaLR(o, lambda s: min(1, (STEPS - s) / 200)))).kind is Kind.LINEAR


def test_a_fall_without_a_name_is_a_decay():
    """A parabola is none of these shapes, and three points are any of them."""
    assert told((1 - np.arange(200) / 200) ** 4).kind is Kind.OTHER
    assert told([0.1, 0.09, 0.075]).kind is Kind.OTHER


def test_without_a_rate_the_schedule_is_unknown():
    """Nothing logged, or nothing finite."""
    assert told([]).kind is Kind.UNKNOWN
    assert told([math.nan] * 5).kind is Kind.UNKNOWN
    assert math.isnan(told([]).peak)


@given(st.lists(st.floats(0, 1e308) | st.sampled_from([0.0, 0.1, math.nan]), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_rates_have_an_answer(values):
    """Whatever was logged: no exception, and the peak is the highest rate."""
    found = told(values)
    finite = [value for value in values if math.isfinite(value)]
    assert not finite or found.peak == max(finite)
