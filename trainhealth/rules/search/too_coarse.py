"""SE03 too-coarse: the best value stands alone, its neighbours far away and far worse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import number, option
from trainhealth.rules.search_rule import SearchRule, over_all
from trainhealth.search.analysis import Search
from trainhealth.search.axes import Axis


class TooCoarse(SearchRule):
    """The best value of a setting stands alone: the next ones tried are far away and far worse, on both sides.

    What it detects
        The gaps between the best trial's value of a setting that matters and the next values tried (a factor, or a
        share of the range), and how much worse trials with those values are (normal scores of ranks).

    Why it matters
        The good values may be a narrow ridge between the points of a coarse search: a better one is as likely as not
        on either side of the one that was hit.

    How it decides
        Both next values are at least `factor` times away (a logarithmic setting) or `share` of the range (a linear
        one). For both, the best of the trials with that value is worse than the best trial by at least `drop`, and so
        is the fitted response surface.

    What to try
        A second, finer stage around the best value, with longer trainings: coarse to fine.

    When it is wrong
        Silent where the best value is the first or the last (that is best-at-the-edge's), for words and whole numbers,
        and where another trial near the best is good, too. Where the first stage was meant to be coarse, it says what
        comes next. A single lucky trial with a value of its own passes for a ridge only where the surface follows it.
    """

    code = "SE03"
    name = "too-coarse"
    topic = "search"
    severity = Severity.NOTE
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "L16 Practical Aspects, Tr1 Training Networks (Part 1): hyperparameter search",
            "Coarse to fine in stages: first a few epochs to get a rough idea, then longer and finer.",
        ),
        Reference(
            "Opt Optimizing Neural Networks: choosing hyperparameters, steps 4 and 5",
            "A coarse grid for 1 to 5 epochs, then a refined one for 10 to 20.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        factor: float = option(9.9, "next value / best value", "lectures: the coarse grid 1e-1, 1e-2, 1e-3, 1e-4")
        share: float = option(0.2, "share of the range", "house choice: a grid of six values or fewer")
        drop: float = option(0.8, "standard deviations of the normal scores", "house choice")

    def check(self, search: Search, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for each setting whose best value stands alone."""
        if search.lacking:
            return NotChecked(search.lacking)
        axes = [search.axes[name] for name in search.mattering]
        judged = (self._judge(search, axis, options) for axis in axes if axis.kind != "words" and not axis.whole)
        return [found for found in judged if found]

    def _judge(self, search: Search, axis: Axis, options: Options) -> Finding | None:
        trials, codes = search.trials, search.codes(axis.name)
        best = float(codes[trials.best])
        tried = np.unique(codes[codes >= 0])
        below, above = tried[tried < best - 1e-9], tried[tried > best + 1e-9]
        if not len(below) or not len(above):
            return None
        sides = (float(below[-1]), float(above[0]))
        if any(_gap(axis, best, side) < (options.factor if axis.kind == "log" else options.share) for side in sides):
            return None
        top = float(trials.goodness[trials.best])
        seen = min(top - float(trials.goodness[codes == side].max()) for side in sides)
        fitted = min(search.drop(axis.name, side) for side in sides)
        if min(seen, fitted) < options.drop:
            return None
        value, left, right = (float(axis.value(code)) for code in (best, *sides))
        coming = search.next_ranges[axis.name]
        target = f"{number(coming.low or 0.0)} to {number(coming.high or 0.0)}"
        return self.finding(
            f"{axis.name} is best at {number(value)}, and the next values tried, {number(left)} and {number(right)}, "
            "are far worse: what lies between them is not known.",
            [over_all(search, axis.name, seen, f"a drop below {number(options.drop)} to the next values")],
            [
                Recommendation(
                    f"Search {axis.name} from {target} ({coming.how}) next, at random, with longer trainings.",
                    "The good values are narrower than the gaps between those that were tried.",
                    f"Several trials with different values of {axis.name} are about as good as the best.",
                    recipe="random-search",
                    change=Change(axis.name, f"{number(left)}, {number(value)}, {number(right)}", target),
                )
            ],
        )


def _gap(axis: Axis, best: float, other: float) -> float:
    """Return how far another coordinate is: a factor on a logarithmic axis, else a share of the range."""
    if axis.kind != "log":
        return abs(best - other)
    first, second = sorted((float(axis.value(best)), float(axis.value(other))))
    return second / first if first > 0 else float("inf")
