"""A search as text, for people: the best trial, what matters, where to look next, pictures, and findings."""

from __future__ import annotations

from typing import TextIO

from trainhealth.findings import Finding, Recommendation
from trainhealth.reports.facts import reasons
from trainhealth.reports.page import GOOD, LABEL, STRONG, STYLES, Page, count
from trainhealth.reports.search_words import amount, best_line, influence_words, next_words, region_words, shown
from trainhealth.reports.trial_pictures import parallel, scatter
from trainhealth.search.analysis import Search
from trainhealth.sweeping import SweepReport

COLUMN = 13  # at which text begins; labels stand to the left of it
BAR = 24  # columns of a bar for all of the differences
_WIDEST = 76  # columns of a picture


def write_text(report: SweepReport, out: TextIO) -> None:
    """Write the report; beautiful in a terminal, plain in a pipe."""
    page, search = Page(out), report.search
    trials = search.trials
    failed = f", {trials.failed} without a score" if trials.failed else ""
    page.line((trials.path, STRONG), (f"  {count(len(trials), 'trial')}{failed}", LABEL))
    page.labelled("score", f"{trials.score}, {'higher' if trials.maximize else 'lower'} is better", COLUMN)
    page.labelled("best", best_line(search), COLUMN)
    for note in trials.notes:
        page.labelled("left out", note, COLUMN)
    if search.lacking:
        page.line()
        page.line((f"?  nothing can be said of the settings: {search.lacking}", LABEL))
    else:
        _write_influences(page, search)
        _write_regions(page, search)
        _write_pictures(page, search)
    _write_findings(page, report)


def _write_influences(page: Page, search: Search) -> None:
    page.line()
    page.line(("what matters", STRONG), ("  share of the differences in rank", LABEL))
    width = max(len(influence.name) for influence in search.influences)
    full, half = ("#", "") if _ascii(page) else ("█", "▌")
    for influence in search.influences:
        halves = round(influence.total * BAR * 2) if influence.matters else 0
        bar = (full * (halves // 2) + half * (halves % 2)).ljust(BAR)
        page.line(f"  {influence.name:{width}}  ", (bar, STRONG), f"  {influence_words(influence)}")
    for pair in shown(search.interactions):
        page.prose(f"{pair.first} and {pair.second} work together: {amount(pair.share)} more than each alone", 2, LABEL)


def _write_regions(page: Page, search: Search) -> None:
    page.line()
    page.line(("best values, and where to look next", STRONG))
    width = max(map(len, search.axes)) + 4
    for influence in search.influences:
        name = influence.name
        if name in search.regions:
            page.labelled(name, region_words(search.regions[name]), width)
        page.labelled("" if name in search.regions else name, f"next: {next_words(search.next_ranges[name])}", width)


def _write_pictures(page: Page, search: Search) -> None:
    width, plain = min(page.width, _WIDEST), _ascii(page)
    names = search.mattering or search.trials.settings[:1]
    for name in names[:3]:
        page.line()
        for line in scatter(search, name, width, plain=plain):
            page.line(*line)
    if len(names) > 1:
        page.line()
        for line in parallel(search, names[:5], width, plain=plain):
            page.line(*line)


def _ascii(page: Page) -> bool:
    return page.sign(None) == "+"


def _write_findings(page: Page, report: SweepReport) -> None:
    for finding in report.findings:
        page.line()
        _write_finding(page, finding)
    if not report.findings and not report.search.lacking:
        page.line()
        page.line((f"{page.sign(None)} nothing is wrong with the search itself", GOOD))
    if report.not_checked:
        page.line()
        page.line(("not checked", STRONG))
        for because, names in reasons(report.not_checked):
            page.prose(f"{', '.join(names)}: {because}", 2, LABEL)


def _write_finding(page: Page, finding: Finding) -> None:
    page.line(
        (f"{page.sign(finding.severity)} {finding.severity}", STYLES[finding.severity]),
        "  ",
        (finding.name, STRONG),
        (f"  {finding.code}, {finding.confidence}", LABEL),
    )
    page.prose(finding.message, 2)
    for recommendation in finding.recommendations:
        _write_recommendation(page, recommendation)
    page.labelled("more", f"trainhealth explain {finding.code}", COLUMN)


def _write_recommendation(page: Page, recommendation: Recommendation) -> None:
    page.labelled("try", recommendation.action, COLUMN, style=STRONG)
    page.labelled("because", recommendation.because, COLUMN)
    page.labelled("then see", recommendation.verify, COLUMN)
    if recommendation.risk:
        page.labelled("risk", recommendation.risk, COLUMN)
