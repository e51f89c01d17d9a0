"""SE02 linear-instead-of-log-sampling: a setting that acts by its factor was drawn uniformly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import number, option
from trainhealth.rules.search_rule import SearchRule, over_all, percent
from trainhealth.search.analysis import Search
from trainhealth.search.axes import multiplicative
from trainhealth.search.sampling import linear_evidence
from trainhealth.search.trials import Space
from trainhealth.series import FloatArray


class LinearInsteadOfLogSampling(SearchRule):
    """A setting that acts by its factor (a learning rate, a weight decay) was drawn uniformly, not log-uniformly.

    What it detects
        The distribution that the values of learning rates, weight decays and other strengths of regularisation were
        drawn from: that of an Optuna study, or the likelier one of the values themselves.

    Why it matters
        Of uniform draws from 1e-5 to 0.1, nine in ten lie above 0.01: three decades of four get one trial in ten.

    How it decides
        Settings by name: lr, learning_rate, weight_decay, reg, l2, alpha, lambda, eps and the like. A declared uniform
        distribution whose upper bound is at least `span` times the lower one is certain. Without a declaration, the
        largest value is at least `span` times the smallest, and the log of the likelihood ratio between a uniform and a
        log-uniform draw is at least `evidence`:
            sum over distinct values x of log(x log(b / a) / (b - a)), with the bounds a and b

    What to try
        Draw the logarithm: 10 ** uniform(log10(low), log10(high)).

    When it is wrong
        Silent where the range is narrow: within a factor of 20 there is little difference. Silent for fewer than
        `least` distinct values, and for settings with other names. A guided search (TPE, a Gaussian process) piles its
        values up where it was good, which may look like a uniform draw near the upper end.
    """

    code = "SE02"
    name = "linear-instead-of-log-sampling"
    topic = "search"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Tr1 Training Networks (Part 1): hyperparameter optimization",
            "Note it's best to optimize in log space: lr = 10**uniform(-3, -6).",
        ),
        Reference(
            "Goodfellow, Bengio, Courville 2016, Deep Learning, section 11.4.4",
            "Learning rates are drawn from a uniform distribution of their logarithm.",
            "https://www.deeplearningbook.org/contents/guidelines.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        span: float = option(20.0, "largest / smallest value", "house choice: more than a decade")
        evidence: float = option(4.0, "natural log of a likelihood ratio", "1 in 50 of log-uniform draws at most")
        least: int = option(8, "distinct values", "house choice")

    def check(self, search: Search, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for each such setting that was drawn uniformly."""
        if not search.trials.settings:
            return NotChecked("no setting has two values")
        found = []
        for name in filter(multiplicative, search.trials.settings):
            values = search.trials.numbers(name)
            positive = np.unique(values[values > 0]) if values is not None else np.empty(0)
            if len(positive) < options.least:
                continue
            space = search.trials.spaces.get(name, Space())
            if space.log is not None:
                if not space.log and (space.high or 0.0) >= options.span * max(space.low or 0.0, 1e-300):
                    found.append(self._describe(search, name, positive, Confidence.CERTAIN))
            elif positive[-1] >= options.span * positive[0] and linear_evidence(positive) >= options.evidence:
                found.append(self._describe(search, name, positive, Confidence.LIKELY))
        return found

    def _describe(self, search: Search, name: str, tried: FloatArray, confidence: Confidence) -> Finding:
        low, high = float(tried[0]), float(tried[-1])
        above = float(np.mean(tried >= high / 10))
        decades = np.log10(high / low)
        return self.finding(
            f"{name} was drawn uniformly from {number(low)} to {number(high)}: {percent(above)} of its values lie in "
            f"the uppermost of {decades:.1f} decades.",
            [over_all(search, name, above, f"about {percent(1 / decades)} of the values in each decade")],
            [
                Recommendation(
                    f"Draw {name} log-uniformly: 10 ** uniform({np.log10(low):.1f}, {np.log10(high):.1f}).",
                    "It acts by its factor: from 1e-4 to 2e-4 is as far as from 1e-2 to 2e-2.",
                    f"Each decade of {name} gets about as many trials as the others.",
                    recipe="random-search",
                    change=Change(name, "uniform", "log-uniform"),
                )
            ],
            confidence=confidence,
        )
