"""A search as Markdown, for issues, pull requests and notebooks."""

from __future__ import annotations

from collections.abc import Iterator

from trainhealth.findings import Finding
from trainhealth.reports.facts import reasons
from trainhealth.reports.markdown import cell, escaped
from trainhealth.reports.page import count
from trainhealth.reports.search_words import amount, best_line, influence_words, next_words, region_words, shown
from trainhealth.search.analysis import Search
from trainhealth.sweeping import SweepReport


def markdown(report: SweepReport) -> str:
    """Return the report as one section."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: SweepReport) -> Iterator[str]:
    search = report.search
    trials = search.trials
    failed = f", {trials.failed} without a score" if trials.failed else ""
    direction = "higher" if trials.maximize else "lower"
    yield f"## {escaped(trials.path)}"
    yield ""
    yield f"{count(len(trials), 'trial')}{failed}. Score: {escaped(trials.score)}, {direction} is better."
    yield f"Best: {escaped(best_line(search))}."
    yield ""
    if search.lacking:
        yield f"Nothing can be said of the settings: {escaped(search.lacking)}."
        yield ""
    else:
        yield from _settings(search)
    for finding in report.findings:
        yield from _finding(finding)
    for because, names in reasons(report.not_checked):
        yield f"Not checked: {', '.join(names)}: {escaped(because)}."
        yield ""


def _settings(search: Search) -> Iterator[str]:
    yield "| setting | share of the differences | best value | next |"
    yield "|---|---|---|---|"
    for influence in search.influences:
        name = influence.name
        best = region_words(search.regions[name]) if name in search.regions else ""
        cells = (name, influence_words(influence), best, next_words(search.next_ranges[name]))
        yield f"| {' | '.join(map(cell, cells))} |"
    yield ""
    for pair in shown(search.interactions):
        names = f"{escaped(pair.first)} and {escaped(pair.second)}"
        yield f"{names} work together: {amount(pair.share)} more than each alone."
        yield ""


def _finding(finding: Finding) -> Iterator[str]:
    yield f"### {finding.severity}: {finding.name} ({finding.code}, {finding.confidence})"
    yield ""
    yield escaped(finding.message)
    yield ""
    for rank, advice in enumerate(finding.recommendations, 1):
        yield f"{rank}. **{escaped(advice.action)}** {escaped(advice.because)}"
        yield f"   - Then see: {escaped(advice.verify)}"
        if advice.risk:
            yield f"   - Risk: {escaped(advice.risk)}"
        yield ""
