"""The bar of a replay: where it is, how fast it goes, and where the findings so far began."""

from __future__ import annotations

import time

from trainhealth.findings import Finding
from trainhealth.tui.amounts import count
from trainhealth.tui.lines import Line, Span, line, width_of
from trainhealth.tui.replay import Place
from trainhealth.tui.signs import PAUSED, sign
from trainhealth.tui.timeline import Timeline

PLAYING = "▶"
_NARROWEST = 10  # cells of a bar on which anything can be found
_LEFT = 10  # cells before the bar: play or pause, and the speed


def time_bar(
    timeline: Timeline, place: Place, findings: tuple[Finding, ...], clock: str, width: int
) -> tuple[Line, range]:
    """Return one line, and the columns of the bar in it.

    `clock` is the time of day at which the run was there, "" where nobody knows.
    """
    left = line(Span(f" {PLAYING if place.playing else PAUSED} ", "note"), f"×{place.speed:g}".ljust(_LEFT - 3))
    if timeline.dated:
        where = f"{_clock(place.second, timeline.length)} of {_clock(timeline.length, timeline.length)}"
    else:
        where = f"{count(place.index + 1)} of {count(len(timeline.steps))}"
    right = line(Span(f" {where}", "value"), Span(f"  {clock}" if clock else "", "label"), " ")
    cells = width - _LEFT - width_of(right)
    if cells < _NARROWEST:
        right = line(Span(f" {where} ", "value"))
        cells = width - _LEFT - width_of(right)
    if cells < _NARROWEST:
        return (*left, *right), range(0)
    return (*left, *_bar(timeline, place, findings, cells), *right), range(_LEFT, _LEFT + cells)


def time_of_day(times: float) -> str:
    """Return the time of day in this place at `times` seconds since 1970."""
    return time.strftime("%H:%M:%S", time.localtime(times))


def _bar(timeline: Timeline, place: Place, findings: tuple[Finding, ...], cells: int) -> list[Span]:
    def cell(second: float) -> int:
        return round(min(second / timeline.length, 1.0) * (cells - 1)) if timeline.length else 0

    here = cell(place.second)
    spans = [Span("━", "note") if column < here else Span("─", "axis") for column in range(cells)]
    for finding in reversed(findings):
        second = timeline.seconds[timeline.index_of(finding.first_step)]
        spans[cell(float(second))] = Span(sign(finding.severity), str(finding.severity))
    spans[here] = Span("●", "note")
    return spans


def _clock(seconds: float, length: float) -> str:
    """Return a duration as a clock shows it, with as many parts as the whole needs."""
    if length < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if length >= 3600 else f"{minutes}:{rest:02}"
