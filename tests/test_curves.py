"""The statistics that rules rest on, each against a second, naive computation or a known truth."""

import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth import curves
from trainhealth.series import Series


def series(values, steps=None):
    values = np.asarray(values, np.float64)
    return Series("x", np.arange(len(values)) if steps is None else np.asarray(steps, np.int64), values)


def noisy(level, sigma, seed=0):
    return np.asarray(level) + np.random.default_rng(seed).normal(0, sigma, len(level))


def test_blocks_of_one_series_are_cut_once_and_can_not_be_changed():
    """Many rules ask for those of a long curve; none can spoil them for the next."""
    curve = series(noisy(np.linspace(2, 1, 500), 0.1))
    parts = curves.blocks(curve)
    assert curves.blocks(curve) is parts
    assert len(curves.blocks(curve, 8)) == 8
    assert curves.blocks(series(curve.values)) is not parts
    with pytest.raises(ValueError, match="read-only"):
        parts.medians[0] = 0.0


def test_blocks_do_not_keep_their_series():
    """A run that nobody holds any more is gone from memory."""
    curve = series(noisy(np.linspace(2, 1, 500), 0.1))
    curves.blocks(curve)
    gone = weakref.ref(curve)
    del curve
    assert gone() is None


# --- clean ---


def test_clean_drops_what_is_not_finite_and_sorts_by_step():
    """NaN and infinity go, unordered steps are put in order, repeated ones keep the log's order."""
    cleaned = curves.clean(series([5, math.nan, 1, math.inf, 3, 4], [9, 8, 2, 7, 4, 4]))
    assert cleaned.steps.tolist() == [2, 4, 4, 9]
    assert cleaned.values.tolist() == [1, 3, 4, 5]


# --- noise ---


def naive_noise(values, steps):
    """Sigma from the definition: weighted residuals against the line through both neighbours, one by one."""
    residuals = []
    for i in range(1, len(values) - 1):
        late = (steps[i] - steps[i - 1]) / (steps[i + 1] - steps[i - 1])
        line = (1 - late) * values[i - 1] + late * values[i + 1]
        residuals.append(abs(line - values[i]) / math.sqrt((1 - late) ** 2 + late**2 + 1))
    return 1.4826 * float(np.median(residuals))


def test_noise_equals_its_definition_on_uneven_steps():
    """The vectorised estimate is the definition's."""
    steps = np.cumsum(np.random.default_rng(1).integers(1, 50, 200))
    values = noisy(np.zeros(200), 1.0)
    assert curves.noise(series(values, steps)) == pytest.approx(naive_noise(values, steps))


@pytest.mark.parametrize("level", [np.zeros(5000), np.linspace(9, 2, 5000), 3 * np.exp(-np.arange(5000) / 800)])
def test_noise_finds_sigma_whatever_the_curve(level):
    """Level, slope and decay don't count as noise."""
    assert curves.noise(series(noisy(level, 0.3))) == pytest.approx(0.3, rel=0.06)


def test_noise_ignores_spikes():
    """One value in twenty far off changes the estimate by little."""
    values = noisy(np.zeros(5000), 0.3)
    values[::20] += 100
    assert curves.noise(series(values)) == pytest.approx(0.3, rel=0.25)


def test_noise_of_a_straight_line_is_zero_on_uneven_steps():
    """A line has no residuals, however its steps are spaced."""
    steps = np.array([0, 1, 5, 6, 100, 101])
    assert curves.noise(series(3 * steps - 7, steps)) == pytest.approx(0, abs=1e-12)


def test_noise_of_rounded_values_is_not_zero():
    """Where rounding makes most neighbours equal, the few steps still count."""
    assert curves.noise(series(np.round(noisy(np.zeros(1000), 0.02), 1) + np.r_[np.zeros(999), 0.1])) > 0


@given(st.floats(1e-300, 1e300))
def test_noise_scales_with_the_values(scale):
    """Tiny and huge losses are measured alike."""
    values = noisy(np.zeros(50), 1.0)
    assert curves.noise(series(values * scale)) == pytest.approx(scale * curves.noise(series(values)))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_noise_of_too_few_values_is_nan(count):
    """Two values have no noise to see."""
    assert math.isnan(curves.noise(series(np.ones(count))))


# --- blocks ---


def test_blocks_hold_every_value_once():
    """Bounds follow each other, and medians are those of the values between them."""
    values, steps = noisy(np.zeros(103), 1.0), np.arange(103) * 7
    parts = curves.blocks(series(values, steps), 10)
    assert len(parts) == 10
    assert parts.first_steps[0] == 0
    assert parts.last_steps[-1] == 102 * 7
    assert (parts.first_steps[1:] - parts.last_steps[:-1]).tolist() == [7] * 9
    for first, last, median in zip(parts.first_steps, parts.last_steps, parts.medians, strict=True):
        assert median == pytest.approx(np.median(values[(steps >= first) & (steps <= last)]))


def test_few_values_are_blocks_of_one():
    """No more blocks than values, and the error is then that of a value."""
    parts = curves.blocks(series(noisy(np.zeros(20), 0.5)), 32)
    assert len(parts) == 20
    assert parts.size == 1
    assert parts.error == curves.noise(series(noisy(np.zeros(20), 0.5)))


def block_errors(curve_of, count=30):
    return float(np.median([curves.blocks(series(curve_of(seed)), 32).error for seed in range(count)]))


def test_block_error_is_the_scatter_of_block_medians():
    """For independent noise the error is what medians of such blocks really scatter by."""
    medians = [np.median(noisy(np.zeros(100), 1.0, seed)) for seed in range(400)]
    assert block_errors(lambda seed: noisy(np.zeros(3200), 1.0, seed)) == pytest.approx(np.std(medians), rel=0.25)


def test_block_error_sees_noise_that_neighbours_share():
    """A running average hides its noise from neighbours, not from blocks."""

    def running(seed):
        return np.convolve(noisy(np.zeros(3300), 1.0, seed), np.ones(101) / 101, "valid")

    medians = [np.median(running(seed)[:100]) for seed in range(400)]
    assert block_errors(running) == pytest.approx(np.std(medians), rel=0.25)
    assert block_errors(running) > 10 * curves.noise(series(running(0))) / math.sqrt(100)


def test_blocks_of_nothing_are_empty():
    """A series of NaN only has no blocks."""
    assert len(curves.blocks(series([math.nan] * 5))) == 0


# --- trend ---


def test_trend_finds_the_slope_of_a_line_under_noise_and_spikes():
    """Theil-Sen: slope and change are those of the line, on uneven steps, with one value in ten far off."""
    steps = np.cumsum(np.random.default_rng(2).integers(1, 9, 2000))
    values = noisy(5 - 0.001 * steps, 0.2)
    values[::10] += 50
    found = curves.trend(series(values, steps))
    assert found.slope == pytest.approx(-0.001, rel=0.05)
    assert found.change == pytest.approx(-0.001 * (steps[-1] - steps[0]), rel=0.1)
    assert found.z < -5


def test_trend_statistic_equals_mann_kendall_by_hand():
    """Of five values with one inversion, S is 8 and z is (8 - 1) / sqrt(50 / 3)."""
    assert curves.trend(series([1, 3, 2, 4, 5])).z == pytest.approx(7 / math.sqrt(50 / 3))


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_trend_is_rarely_significant_where_there_is_none(share):
    """Flat curves, also with noise that neighbours share, are beyond z = 3 in at most 3 of 100."""
    found = 0
    for seed in range(100):
        values = noisy(np.zeros(1000), 1.0, seed)
        for i in range(1, 1000):
            values[i] += share * values[i - 1]
        found += abs(curves.trend(series(values)).z) > 3
    assert found <= 3


@pytest.mark.parametrize("values", [[], [1, 2, 3], [2, 2, 2, 2, 2]])
def test_trend_of_too_little_is_none(values):
    """Three values, or equal ones, have no trend."""
    assert curves.trend(series(values)).z == 0


# --- the rest ---


def test_smooth_takes_single_spikes_out():
    """A running median of three: one spike goes, a step stays, the ends stay."""
    assert curves.smooth(np.array([1, 1, 9, 1, 1, 5, 5, 7.0])).tolist() == [1, 1, 1, 1, 1, 5, 5, 7]


def test_means_until_brings_steps_to_the_axis_of_evaluations():
    """Each mean holds the values since the previous evaluation; none gives NaN."""
    means = curves.means_until(series([1, 2, 3, math.nan, 5, 6]), np.array([1, 1, 4, 9]))
    assert means.tolist()[:1] == [1.5]
    assert math.isnan(means[1])
    assert means.tolist()[2:] == [4, 6]


def test_means_until_survive_a_loss_that_exploded_and_came_back():
    """Each mean is that of its own values: a running total of 1e30 would leave nothing of those after it."""
    means = curves.means_until(series([1, 1e30, 1, 3, 5, 7]), np.array([1, 3, 5]))
    assert means.tolist() == [5e29, 2, 6]


def test_means_until_of_nothing():
    """No values, or no evaluation to bring them to."""
    assert np.isnan(curves.means_until(series([]), np.array([1, 2]))).all()
    assert len(curves.means_until(series([1, 2]), np.array([], np.int64))) == 0


@given(
    st.lists(st.tuples(st.integers(-10, 10), st.floats(width=64)), max_size=60).map(lambda pairs: pairs or [(0, 0.0)])
)
def test_no_statistic_raises_on_any_series(pairs):
    """Any values on any steps give a number, be it NaN."""
    steps, values = zip(*pairs, strict=True)
    curve = series(values, steps)
    with np.errstate(all="ignore"):
        curves.noise(curve)
        curves.blocks(curve)
        curves.trend(curve)
        curves.smooth(curve.values)
        curves.means_until(curve, np.sort(curve.steps))


def test_a_million_values_are_no_trouble():
    """Every statistic is linear: all of them over a million values finish (in tenths of a second)."""
    curve = series(noisy(np.linspace(3, 1, 1_000_000), 0.5))
    assert curves.noise(curve) == pytest.approx(0.5, rel=0.02)
    assert curves.trend(curve).change == pytest.approx(-2, rel=0.05)
    assert len(curves.smooth(curve.values)) == len(curve)


# --- shift ---


def test_shift_is_the_difference_of_levels_with_its_error():
    """Over many draws the difference scatters by no more than its standard error, and by no less than half of it."""
    found = [
        curves.shift(series(noisy(np.ones(200), 0.5, seed)), series(noisy(np.zeros(200), 0.5, 1000 + seed)))
        for seed in range(200)
    ]
    amounts = np.array([shift.amount for shift in found])
    assert amounts.mean() == pytest.approx(-1.0, abs=0.02)
    assert amounts.std() < np.median([shift.error for shift in found]) < 2 * amounts.std()


def test_the_range_of_a_shift_is_two_errors_wide():
    """From `least` to `most`."""
    found = curves.Shift(-1.0, 0.25)
    assert (found.least, found.most) == (-1.5, -0.5)


def test_a_shift_of_too_few_values_is_uncertain():
    """Two values show no noise, and none have no level."""
    assert curves.shift(series([1.0, 1.0]), series([1.0, 1.0])).error == math.inf
    assert math.isnan(curves.shift(series([]), series([1.0])).amount)


# --- settled, left_start ---


def test_a_curve_settles_where_its_last_fall_ends():
    """From there on all levels are those of the end; a curve that is still falling settles late, or never."""
    values = np.concatenate([np.linspace(2, 1, 300), np.ones(700)])
    parts = curves.blocks(series(noisy(values, 0.01)), 20)
    assert parts.first_steps[curves.settled(parts, 0.05)] == pytest.approx(300, abs=50)
    falling = curves.blocks(series(np.linspace(2, 1, 1000)), 20)
    assert curves.settled(falling, 0.01) >= 19


def test_a_curve_leaves_its_start_where_its_fall_begins():
    """Up to there the levels are those of the beginning; a dip that comes back is no start."""
    values = np.concatenate([2 * np.ones(400), np.linspace(2, 1, 600)])
    values[100:150] = 1.5
    parts = curves.blocks(series(noisy(values, 0.01)), 20)
    assert parts.first_steps[curves.left_start(parts, 0.1)] == pytest.approx(450, abs=50)
    assert curves.left_start(curves.blocks(series(np.ones(100))), 0.1) == 32


def test_an_empty_curve_neither_settles_nor_starts():
    """No blocks."""
    empty = curves.blocks(series([]))
    assert curves.settled(empty, 1.0) == curves.left_start(empty, 1.0) == 0
