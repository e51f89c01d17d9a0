"""The update ratio of a model, what it says of a standstill, and the rates that follow from it."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

from trainhealth.records import OptimizerInfo, ParameterEntry, RunInfo
from trainhealth.rules import update_ratio
from trainhealth.rules.optimization import learning_rate_too_high
from trainhealth.rules.update_ratio import explains_standstill, model_update_ratio, on_grid, rate_for
from trainhealth.rules.weights import growth, relative_gradient, typical_weight
from trainhealth.testing import make_run

ENTRIES = [
    ParameterEntry(name="a.weight", shape=[4, 25]),
    ParameterEntry(name="a.bias", shape=[4]),
    ParameterEntry(name="b.weight", shape=[3, 4, 5, 5]),
    ParameterEntry(name="c.weight", shape=[2, 2]),
    ParameterEntry(name="frozen.weight", shape=[9, 9], trainable=False),
    ParameterEntry(name="forgotten.weight", shape=[9, 9], optimized=False),
]


def run_of(samples, entries=ENTRIES, optimizer=""):
    info = RunInfo(optimizers=[OptimizerInfo(name="", type=optimizer)] if optimizer else [])
    return make_run([1.0] * 10, parameters=entries, samples=samples, info=info)


def test_the_ratio_is_the_median_over_weights_that_are_trained():
    """Not over biases, frozen weights, or those in no optimizer; a sample without a ratio is left out."""
    random = np.random.default_rng(0).random((4, 6))
    samples = {step: {"update_ratio": row.tolist()} for step, row in enumerate(random)}
    samples[7] = {"update_ratio": [None, 1.0, None, None, 1.0, 1.0]}
    ratios = model_update_ratio(run_of(samples))
    assert ratios.steps.tolist() == [0, 1, 2, 3]
    assert ratios.values == pytest.approx([sorted(row[[0, 2, 3]])[1] for row in random])


def test_a_model_without_weights_is_judged_by_what_it_has():
    """A gain and a bias are all there is."""
    entries = [ParameterEntry(name=name, shape=[8]) for name in ("gain", "bias")]
    ratios = model_update_ratio(run_of({0: {"update_ratio": [0.1, 0.3]}}, entries))
    assert ratios.values == pytest.approx([0.2])


def test_a_log_without_ratios_has_none():
    """Nothing is measured: nothing is returned."""
    assert len(model_update_ratio(make_run([1.0]))) == 0
    assert math.isnan(growth(make_run([1.0])))
    assert math.isnan(relative_gradient(make_run([1.0]), 16))
    assert math.isnan(typical_weight(make_run([1.0])))


def test_weights_are_measured_by_medians():
    """Growth since the first sample, gradient over norm in the first steps, size of an element: by hand."""
    first = {
        "parameter_norm": [1.0, 9.0, 2.0, 4.0, 9.0, 9.0],
        "parameter_gradient_norm": [0.1, 9.0, 0.4, 2.0, 9.0, 9.0],
    }
    last = {
        "parameter_norm": [2.0, 9.0, 6.0, 40.0, 9.0, 9.0],
        "parameter_gradient_norm": [8.0, 9.0, 8.0, 8.0, 9.0, 9.0],
    }
    run = run_of({0: first, 500: last})
    assert growth(run) == pytest.approx(3.0)  # of 2, 3, 10
    assert relative_gradient(run, 16) == pytest.approx(0.2)  # of 0.1, 0.2, 0.5
    assert typical_weight(run) == pytest.approx(2 / math.sqrt(300))  # of 0.1, 0.115, 2


def test_a_rate_explains_a_standstill_if_a_usual_one_would_end_it():
    """0.3 is the highest usual rate: at 1e-6 a ratio of 3.4e-9 is the rate's doing, one of 3.3e-9 is not."""
    run = run_of({})
    assert explains_standstill(run, 3.4e-9, 1e-6)
    assert not explains_standstill(run, 3.3e-9, 1e-6)
    assert not explains_standstill(run, 2.1e-4, 1e-6)  # no standstill
    assert not explains_standstill(run, 0.0, 1e-6)
    assert not explains_standstill(run, 1e-6, math.nan)


def test_an_adaptive_optimizer_moves_every_element_by_the_rate():
    """Weights of rms 0.1 at 1e-6: 1e-5 a step is natural, less than a tenth of it means no gradient."""
    sample = {0: {"parameter_norm": [1.0, 9.0, 0.1 * math.sqrt(300), 0.2, 9.0, 9.0]}}
    assert explains_standstill(run_of(sample, optimizer="AdamW"), 1.1e-6, 1e-6)
    assert not explains_standstill(run_of(sample, optimizer="AdamW"), 0.9e-6, 1e-6)
    assert explains_standstill(run_of(sample, optimizer="SGD"), 0.9e-6, 1e-6)


@pytest.mark.parametrize(("value", "grid"), [(0.0025, 0.003), (0.5, 0.3), (0.6, 1.0), (9e-5, 1e-4), (5e-324, 0.0)])
def test_rates_lie_on_a_grid(value, grid):
    """1, 3, 10, …: more digits would claim more than is known."""
    assert on_grid(value) == pytest.approx(grid, abs=1e-300)


def test_the_rate_for_a_ratio_is_bounded():
    """In proportion, within the factor either way; an update of nothing asks for all of it."""
    assert rate_for(0.2, 0.5, goal=1e-3, at_most=1000) == 0.003
    assert rate_for(50.0, 1.0, goal=1e-3, at_most=1000) == 0.001
    assert rate_for(1e-9, 1e-6, goal=1e-3, at_most=100) == 1e-4
    assert rate_for(0.0, 1e-6, goal=1e-3, at_most=100) == 1e-4


@pytest.mark.parametrize("module", [update_ratio, learning_rate_too_high])
def test_the_examples_in_the_documentation_hold(module):
    """They are run as they stand."""
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
