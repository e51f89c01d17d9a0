"""SE01 best-at-the-edge: the best trials lie at the end of a setting's range, and may go on beyond it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainhealth.findings import Change, Confidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import number, option
from trainhealth.rules.search_rule import SearchRule, over_all, percent
from trainhealth.search.analysis import Search
from trainhealth.search.optimum import Region
from trainhealth.search.ranges import CHANCE, SURE, edge


class BestAtTheEdge(SearchRule):
    """The best trials lie at the edge of the range that was searched: the best value may lie outside of it.

    What it detects
        The place of the best value of each setting that matters (a coordinate, 0 to 1 over the range that was tried,
        on a logarithmic scale where the setting has one), and how sure it is.

    Why it matters
        What lies beyond the edge was never tried. A search that is refined inside of its range then misses the best.

    How it decides
        A response surface is fitted to the trials' ranks (a Gaussian process). Of the surfaces that the trials leave
        possible, 400 are drawn; the edge's chance is the share of them that are highest in the outer tenth of the
        range. Likely: the chance is at least `sure`, and the edge is higher than all that lies 0.3 of the range and
        further from it by `better` standard deviations over the surfaces drawn. A hint: the second does not hold, or
        the chance is at least `chance` and the best trial itself lies in the outer tenth.

    What to try
        Move the range beyond the edge, about as far as half of the old range (at most a decade), and search again.

    When it is wrong
        Silent for settings without an effect, whose best trial lies at an edge by chance (one in five), at natural
        ends (a dropout of 0, one layer, a weight decay of 0), and where trials beyond the best one failed: a rate that
        diverges. Where all values below some point do equally well, the
        edge is no better than the rest, and the hint may come by chance. With few or noisy trials a maximum well
        inside looks like one at the edge: the next search shows it. An optimum in the outer tenth itself is reported,
        too.
    """

    code = "SE01"
    name = "best-at-the-edge"
    topic = "search"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.2"
    references = (
        Reference(
            "L16 Practical Aspects, Tr1 Training Networks (Part 1): hyperparameter search",
            "The best of 22 trials, 0.531, has a rate of 9.47e-4 in a range that ends at 1e-3.",
        ),
        Reference(
            "Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization",
            "Only few settings matter for a data set: the others' best values say nothing.",
            "https://jmlr.org/papers/v13/bergstra12a.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        sure: float = option(
            SURE, "share of possible surfaces", "house choice: of maxima at 0.5 of the range none, at 0.75 one in ten"
        )
        better: float = option(2.33, "standard deviations", "house choice: 99 %, one-sided")
        chance: float = option(CHANCE, "share of possible surfaces", "house choice: twice that of a flat surface")

    def check(self, search: Search, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding for each setting whose best value lies at an open end of its range."""
        if search.lacking:
            return NotChecked(search.lacking)
        return [
            found
            for region in search.regions.values()
            if region.axis.kind != "words" and (found := self._judge(search, region, options))
        ]

    def _judge(self, search: Search, region: Region, options: Options) -> Finding | None:
        axis, trials = region.axis, search.trials
        side = edge(axis, region, search.tried(axis.name), sure=options.sure, chance=options.chance)
        if side is None:
            return None
        chance, value = (region.at_low, axis.low) if side == "lower" else (region.at_high, axis.high)
        better = region.better_low if side == "lower" else region.better_high
        sure = chance >= options.sure and better >= options.better
        best = trials.trials[trials.best]
        tried, coming = f"{number(axis.low)} to {number(axis.high)}", search.next_ranges[axis.name]
        target = f"{number(coming.low or 0.0)} to {number(coming.high or 0.0)}"
        own = best.settings[axis.name]
        return self.finding(
            f"{axis.name} was tried from {tried}, and the best lies at its {side} edge with a chance of "
            f"{percent(chance)}; the best trial ({best.name}: {trials.score} {number(best.score)}) has "
            f"{number(own) if isinstance(own, float) else own}.",
            [over_all(search, axis.name, value, f"the best value inside of {tried}")],
            [
                Recommendation(
                    f"Search {axis.name} from {target} ({coming.how}) next.",
                    f"Beyond {number(value)} nothing was tried, and "
                    + ("the trials get better towards it." if sure else "the best trials may lie close to it."),
                    f"In the next search the best trials lie inside of the range of {axis.name}.",
                    "" if sure else "The trials leave open whether it goes on: the best may lie just inside.",
                    "random-search",
                    Change(axis.name, tried, target),
                )
            ],
            severity=Severity.WARNING if sure else Severity.NOTE,
            confidence=Confidence.LIKELY if sure else Confidence.HINT,
        )
