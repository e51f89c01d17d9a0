"""SE04 grid-wastes-trials: a grid tries few values of what matters, once for each value of what does not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import option
from trainhealth.rules.search_rule import SearchRule, over_all, percent
from trainhealth.search.analysis import HINTED, Search


class GridWastesTrials(SearchRule):
    """The search is a grid, and most trials only repeat values of the settings that matter.

    What it detects
        A grid (nearly all combinations of few values a setting), and how many different values of the settings that
        matter its trials have tried.

    Why it matters
        Of 27 trials on a grid of three settings, of which one matters, 18 tell what others had told. At random, all 27
        would have tried a value of their own.

    How it decides
        At least two settings have two values or more, and the trials have at least `full` of all combinations. At
        least one setting has no effect (the likelihood of the response surface is the same without it), at least one
        number matters, and the share of trials that repeat the values of all settings that matter is at least
        `repeated`.

    What to try
        Draw each trial's settings at random, log-uniformly where they act by their factor.

    When it is wrong
        Silent for random searches, for grids in which all settings matter, and where only words matter, which have no
        values in between. Repeated trials also average noise out: where it is large they are not wasted altogether. A
        setting without an effect here may have one elsewhere.
    """

    code = "SE04"
    name = "grid-wastes-trials"
    topic = "search"
    severity = Severity.NOTE
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization",
            "With the same number of trials a grid tries far fewer values of the settings that matter.",
            "https://jmlr.org/papers/v13/bergstra12a.html",
        ),
        Reference(
            "L16 Practical Aspects, Tr1 Training Networks (Part 1): hyperparameter search",
            "Random search instead of grid search.",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        full: float = option(0.8, "share of all combinations", "house choice: some trials of a grid may be missing")
        repeated: float = option(0.5, "share of the trials", "house choice: half of the work")

    def check(self, search: Search, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for a grid whose trials mostly repeat each other."""
        if search.lacking:
            return NotChecked(search.lacking)
        trials, names = search.trials, search.trials.settings
        sizes = {name: len(set(trials.column(name))) for name in names}
        combinations = len(set(zip(*map(trials.column, names), strict=True)))
        if len(names) < 2 or combinations < options.full * math.prod(sizes.values()):
            return []
        idle = [influence.name for influence in search.influences if influence.evidence < HINTED]
        numbers = [name for name in search.mattering if search.axes[name].kind != "words"]
        if not idle or not numbers:
            return []
        different = len(set(zip(*map(trials.column, search.mattering), strict=True)))
        repeated = 1 - different / combinations
        if repeated < options.repeated:
            return []
        listed = " and ".join(f"{sizes[name]} of {name}" for name in numbers)
        return [
            self.finding(
                f"The search is a grid of {combinations} trials that tried only {listed}; "
                f"{', '.join(idle)} {'shows' if len(idle) == 1 else 'show'} no effect.",
                [
                    over_all(
                        search, numbers[0], repeated, f"below {percent(options.repeated)} of trials that repeat others"
                    )
                ],
                [
                    Recommendation(
                        "Draw the settings of each trial at random instead.",
                        f"{combinations} random trials try {combinations} values of {numbers[0]}, not "
                        f"{sizes[numbers[0]]}.",
                        f"The scatter of {numbers[0]} has as many columns as there are trials.",
                        recipe="random-search",
                    )
                ],
            )
        ]
