"""What every report for people says of a search, in the same words."""

from __future__ import annotations

from collections.abc import Iterable

from trainhealth.rules.base import number
from trainhealth.search.analysis import Search
from trainhealth.search.influence import Influence, Interaction
from trainhealth.search.optimum import Region
from trainhealth.search.ranges import NextRange
from trainhealth.search.trials import Value

_WORTH = 0.03  # share of an interaction from which on it is worth a line


def amount(share: float) -> str:
    """Return a share in per cent.

    >>> amount(0.724)
    '72 %'
    """
    return f"{100 * share:.0f} %"


def said(value: Value) -> str:
    """Return a setting's value as people write it."""
    return number(value) if isinstance(value, float) else "none" if value is None else value


def best_line(search: Search) -> str:
    """Return the best trial with its settings."""
    trials = search.trials
    if trials.best < 0:
        return "no trial has a score"
    best = trials.trials[trials.best]
    settings = ", ".join(f"{name} {said(best.settings.get(name))}" for name in trials.settings)
    return f"{number(best.score)} (trial {best.name}{': ' if settings else ''}{settings})"


def influence_words(influence: Influence) -> str:
    """Return how much a setting matters, and how sure that is."""
    if not influence.matters:
        return "no effect to be told from chance"
    alone = f", {amount(influence.alone)} alone" if influence.total - influence.alone >= _WORTH else ""
    return f"{amount(influence.total)}{alone}{'' if influence.sure else ', likely'}"


def region_words(region: Region) -> str:
    """Return where the best value lies."""
    if region.axis.kind == "words":
        ranked = sorted(region.shares.items(), key=lambda share: -share[1])
        return "best: " + ", ".join(f"{word} ({amount(share)})" for word, share in ranked[:4] if share >= 0.05)
    low, high = said(region.axis.value(region.low)), said(region.axis.value(region.high))
    return f"best: {low} to {high} (8 of 10)"


def next_words(coming: NextRange) -> str:
    """Return where to look next, and why."""
    if coming.how in ("choice", "fixed"):
        listed = " or ".join(map(said, coming.choices))
        return f"keep {listed} ({coming.because})"
    return f"{coming.how} {said(coming.low)} to {said(coming.high)} ({coming.because})"


def shown(interactions: Iterable[Interaction]) -> list[Interaction]:
    """Return the interactions that are worth a line, at most three."""
    return [pair for pair in interactions if pair.share >= _WORTH][:3]
