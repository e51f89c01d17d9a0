"""The response surface: its gradient, its posterior, and its shares of variance, each computed a second way."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.tables import drawn, trials_from
from trainhealth.search.axes import axis_of
from trainhealth.search.influence import _Shares, influences
from trainhealth.search.surface import _Problem, fit


def fitted(columns, scores):
    trials = trials_from(columns, scores)
    axes = [axis_of(trials, name) for name in trials.settings]
    codes = np.stack([axis.codes(trials.column(axis.name)) for axis in axes], axis=1)
    return axes, codes, trials.goodness


def uniform(count, names, seed=0):
    random = np.random.default_rng(seed)
    return {name: random.random(count).tolist() for name in names}


def test_the_gradient_of_the_cost_is_that_of_finite_differences():
    """BFGS is only as good as the gradient that it is given."""
    columns = uniform(20, ("a", "b"))
    axes, codes, goodness = fitted(columns, np.sin(5 * np.array(columns["a"])))
    problem, point = _Problem(axes, codes, goodness), np.array([-0.5, 0.7, 0.2, -1.5])
    _, gradient = problem.cost(point)
    for index in range(len(point)):
        step = np.eye(len(point))[index] * 1e-5
        slope = (problem.cost(point + step)[0] - problem.cost(point - step)[0]) / 2e-5
        assert gradient[index] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_the_surface_follows_a_smooth_score_between_the_trials():
    """Where the trials rise, the surface rises; where they are dense, it is sure."""
    columns = uniform(60, ("a",))
    axes, codes, goodness = fitted(columns, -((np.array(columns["a"]) - 0.3) ** 2))
    mean, covariance = fit(axes, codes, goodness).posterior(np.array([[0.3], [0.6], [0.95]]))
    assert mean[0] > mean[1] > mean[2]
    assert np.sqrt(np.diag(covariance)).max() < 0.4


def test_the_shares_of_variance_are_those_of_a_simulation():
    """The closed form of Sobol's indices agrees with averages over many points."""
    columns = uniform(50, ("a", "b", "c"), seed=3)
    a, b = np.array(columns["a"]), np.array(columns["b"])
    axes, codes, goodness = fitted(columns, -((a + b - 1) ** 2) - 0.5 * (a - 0.5) ** 2)
    surface = fit(axes, codes, goodness)
    random = np.random.default_rng(0)

    def at(points):
        return np.concatenate([surface.posterior(part)[0] for part in np.array_split(points, 20)])

    def resampled(points, kept):
        others = np.stack([random.choice(codes[:, j], len(points)) for j in range(3)], axis=1)
        return np.where(np.isin(np.arange(3), kept), points, others)

    points = resampled(np.zeros((6000, 3)), [])
    first = at(points)
    everything = first.var() + surface.noise
    shares = _Shares(surface)
    for setting in range(2):
        same = at(resampled(points, [setting]))
        others = at(resampled(points, [other for other in range(3) if other != setting]))
        assert shares.alone(setting) == pytest.approx(np.cov(first, same)[0, 1] / everything, abs=0.05)
        assert shares.total(setting) == pytest.approx(((first - others) ** 2).mean() / 2 / everything, abs=0.05)


def test_what_matters_is_told_from_what_does_not():
    """Over many searches the setting with an effect is found, and idle ones are seldom taken for it."""
    found = [drawn(lambda u: -8 * (u - 0.5) ** 2, 25, seed=seed).influences for seed in range(20)]
    by_name = [{influence.name: influence for influence in one} for one in found]
    assert all(one["lr"].sure for one in by_name)
    assert sum(one["width"].matters for one in by_name) <= 2


def test_a_search_of_chance_alone_has_nothing_that_matters():
    """Scores without any cause are explained by nothing, in nearly all searches."""
    found = [drawn(lambda u: 0 * u, 30, seed=seed, noise=1.0).mattering for seed in range(20)]
    assert sum(bool(names) for names in found) <= 2


def test_two_settings_that_work_together_are_an_interaction():
    """A ridge along the diagonal: neither alone, both together."""
    columns = uniform(80, ("a", "b"), seed=1)
    a, b = np.array(columns["a"]), np.array(columns["b"])
    axes, codes, goodness = fitted(columns, -((a + b - 1) ** 2))
    found, pairs = influences(fit(axes, codes, goodness))
    assert all(influence.sure for influence in found)
    assert pairs[0].share > max(influence.alone for influence in found)


def test_importance_does_not_depend_on_the_scale_of_the_score():
    """A loss and its exponential are the same search."""
    search = drawn(lambda u: -8 * (u - 0.5) ** 2)
    scores = search.trials.scores
    columns = {name: list(search.trials.column(name)) for name in search.trials.settings}
    stretched = trials_from(columns, np.exp(5 * scores), spaces=search.trials.spaces)
    assert np.array_equal(stretched.goodness, search.trials.goodness)
