"""The findings as a list: causes with their symptoms folded under them, the selected one opened."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from trainhealth.findings import Finding, NotChecked
from trainhealth.reports.folding import fold
from trainhealth.tui.amounts import count
from trainhealth.tui.finding_parts import COLUMN, evidence_lines, recommendation_lines, since
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, spread
from trainhealth.tui.not_checked_page import by_reason
from trainhealth.tui.signs import HEALTHY, sign
from trainhealth.tui.snapshot import Snapshot, State

MOST_EVIDENCE = 6  # pieces in the list; the finding's page has all
_BAR = "▎"


class Entry(NamedTuple):
    """A finding in the list; a symptom stands below its cause."""

    finding: Finding
    is_symptom: bool
    is_muted: bool = False


def entries(snapshot: Snapshot, show_muted: bool = False) -> list[Entry]:
    """Return the findings in the order of the list, the muted ones (if they are asked for) at its end.

    What a muted finding explains stands alone: who mutes a cause has not said that its symptoms are none.
    """
    listed = [
        Entry(finding, finding is not illness.cause)
        for illness in fold(snapshot.findings)
        for finding in (illness.cause, *illness.symptoms)
    ]
    muted = snapshot.muted_findings if show_muted else ()
    return [*listed, *(Entry(finding, is_symptom=False, is_muted=True) for finding in muted)]


def findings_title(snapshot: Snapshot) -> Line:
    """Return the verdict in one line."""
    found, state = snapshot.findings, snapshot.condition.state
    muted = snapshot.muted_findings
    title = Span("Findings", "title")
    if found:
        severities = sorted({finding.severity for finding in found}, key=lambda severity: severity.rank)
        counts = [(severity, sum(finding.severity is severity for finding in found)) for severity in severities]
        parts = [Span(f"  {sign(severity)} {n} {severity}", str(severity)) for severity, n in counts]
        return line(title, *parts, Span(f"  {len(muted)} muted" if muted else "", "label"))
    if snapshot.rules == len(snapshot.diagnosis.not_checked):
        waiting = "being diagnosed" if snapshot.view.last_step >= 0 else "nothing to diagnose yet"
        return line(title, Span(f"  {'no rule could be checked' if snapshot.diagnosed else waiting}", "label"))
    so_far = " so far" if state in (State.LIVE, State.STALLED) else ""
    besides = f"  {len(muted)} muted" if muted else ""
    return line(title, Span(f"  {HEALTHY} nothing found{so_far}", "healthy"), Span(besides, "label"))


def findings_lines(
    snapshot: Snapshot, width: int, selected: int = 0, *, room: int = 0, keys: bool = True, show_muted: bool = False
) -> tuple[list[Line], list[int]]:
    """Return the lines of the list, and for each line the number of the finding that it belongs to (-1: none).

    The selected finding says as much as the list has room for in `room` lines; without `keys` nothing is said of keys;
    with `show_muted` the muted findings stand at the end.
    """
    listing = None
    for detail in sorted(_Detail, reverse=True):
        listing = _Listing(snapshot, width, selected, detail, keys=keys, show_muted=show_muted)
        if len(listing.lines) <= room:
            break
    assert listing is not None  # there is at least one degree of detail
    return listing.lines, listing.owners


class _Detail(IntEnum):
    """How much the selected finding says."""

    BRIEF = 0  # the fact, and the first thing to do
    NUMBERS = 1  # the evidence
    REASONS = 2  # why to do it, and the risk, with air between
    EVERYTHING = 3  # all recommendations


class _Listing:
    """The list in one degree of detail, being written."""

    def __init__(
        self, snapshot: Snapshot, width: int, selected: int, detail: _Detail, *, keys: bool, show_muted: bool
    ) -> None:
        self.snapshot, self.width, self.detail, self.keys = snapshot, width, detail, keys
        self.lines: list[Line] = [findings_title(snapshot)]
        self.owners = [-1]
        for number, entry in enumerate(entries(snapshot, show_muted)):
            if (not entry.is_symptom and number) or number == selected or number == selected + 1:
                self._add(self._gap() if entry.is_symptom or not number else [()], -1)
            self._add(self._entry(entry, number == selected), number)
        if snapshot.rules:
            gap = [()] if len(self.lines) > 1 else self._gap()
            self._add([*gap, *self._checked(snapshot.rules, snapshot.diagnosis.not_checked)], -1)

    def _add(self, block: Sequence[Line], owner: int) -> None:
        self.lines.extend(block)
        self.owners.extend([owner] * len(block))

    def _entry(self, entry: Entry, chosen: bool) -> list[Line]:
        finding, role = entry.finding, "label" if entry.is_muted else str(entry.finding.severity)
        bar = Span(f"{_BAR} " if chosen else "  ", role)
        branch = Span("└ " if entry.is_symptom else "", "label")
        head = line(bar, branch, Span(f"{sign(finding.severity)} ", role), Span(finding.name, "strong"))
        if (entry.is_symptom or entry.is_muted) and not chosen:
            note = "muted " if entry.is_muted else f"since step {count(finding.first_step)} "
            return [spread(head, line(Span(note, "label")), self.width)]
        body = [line(Span(since(finding, self.snapshot.view), "label"))]
        body += self._gap() if chosen else []
        body += paragraph(finding.message, self.width - 3)
        body += self._opened(finding) if chosen else []
        note = "muted " if entry.is_muted else f"{finding.severity}, {finding.confidence} "
        sure = line(Span(note, role))
        return [spread(head, sure, self.width), *(line(bar, *row) for row in body)]

    def _opened(self, finding: Finding) -> list[Line]:
        lines: list[Line] = []
        if self.detail >= _Detail.NUMBERS:
            lines += [*self._gap(), *evidence_lines(finding.evidence[:MOST_EVIDENCE], self.width - 3)]
        everything = self.detail is _Detail.EVERYTHING
        shown = finding.recommendations if everything else finding.recommendations[:1]
        for position, item in enumerate(shown):
            full = self.detail >= _Detail.REASONS
            lines += [*self._gap(), *recommendation_lines(position, item, self.width - 3, full=full)]
        more = len(finding.recommendations) - len(shown)
        if self.keys and not everything:
            keys = f"{more} more: press enter" if more > 0 else "in full: press enter"
            lines.append(line(Span(" " * COLUMN + keys, "label")))
        return lines

    def _checked(self, rules: int, missing: Sequence[NotChecked]) -> list[Line]:
        """Return how many rules could decide, and why the others could not: silence would read as health."""
        others = " (why not all: n)" if self.keys and missing else ""
        lines = [clip(line(Span(f"  {rules - len(missing)} of {rules} rules checked{others}", "label")), self.width)]
        if self.detail is _Detail.EVERYTHING:
            for because, kept in by_reason(missing).items():
                names = ", ".join(rule.name for rule in kept)
                lines += paragraph(f"{names}: {because}", self.width - 1, indent=4, role="label")
        return lines

    def _gap(self) -> list[Line]:
        return [()] if self.detail >= _Detail.REASONS else []
