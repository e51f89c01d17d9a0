"""The view of the log: what is trained, the machine, what could not be read, and the records as they stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from trainhealth.following import EVENTS, foreign_files
from trainhealth.records import EventRecord, RunInfo, Skipped
from trainhealth.series import RunView
from trainhealth.tui.amounts import count
from trainhealth.tui.lines import Line, Span, clip, line, paragraph, printable, spread, table, width_of
from trainhealth.tui.look import Look
from trainhealth.tui.raw_lines import RawLines
from trainhealth.tui.settings_lines import run_lines, settings_lines
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.system_lines import system_lines

WIDE = 140  # cells from which on the records stand beside the rest
MOST_SKIPPED = 20
MOST_EVENTS = 20
_GAP = 3


_RANK = re.compile(r"rank (\d+)\s*(.*)")


def wished(wish: str) -> tuple[int | None, str]:
    """Return which rank's log is asked for (None: the first), and what in it.

    >>> wished("rank 3 1200")
    (3, '1200')
    """
    asked = _RANK.fullmatch(wish)
    return (int(asked[1]), asked[2]) if asked else (None, wish)


def log_file(path: Path, rank: int | None = None) -> Path | None:
    """Return the file whose lines are shown: the log, or of several the first; None while there is none."""
    if path.is_file():
        return path
    if rank is not None and (of_rank := path / EVENTS.replace("*", str(rank))).is_file():
        return of_rank
    try:
        files = sorted(path.glob(EVENTS)) or foreign_files(path)
    except OSError:
        return None
    return files[0] if files else None


def log_page(
    snapshot: Snapshot,
    other: tuple[str, RunInfo] | None,
    raw: RawLines,
    wish: str,
    width: int,
    height: int,
    look: Look,
) -> tuple[list[Line], int]:
    """Return the lines, and the one at which the wanted record stands (0 where none is wanted).

    `other` is the run whose settings stand beside this one's; `raw` are the lines around what was searched for.
    """
    wide = width >= WIDE
    room = (width - _GAP) // 2 if wide else width
    about = [
        *run_lines(snapshot.view, room),
        (),
        *settings_lines(snapshot.view.info, other, room),
        (),
        *system_lines(snapshot.view, room, look),
        *skipped_lines(snapshot.view, room),
        *event_lines(snapshot.view.events, room),
    ]
    ranks = snapshot.view.ranks
    records, wanted = record_lines(raw, wish, room, height if wide else max(height // 2, 8), ranks)
    if not wide:
        return [*about, (), *records], len(about) + 1 + wanted if wish else 0
    pairs = zip_longest(about, records, fillvalue=())
    return [(*left, Span(" " * (room + _GAP - width_of(left))), *right) for left, right in pairs], 0


def skipped_lines(view: RunView, width: int) -> list[Line]:
    """Return the lines that could not be read, and why; nothing where there are none."""
    if not view.skipped:
        return []
    number = len(view.skipped)
    title = f"{'1 line' if number == 1 else f'{count(number)} lines'} could not be read"
    lines: list[Line] = [(), line(Span("Skipped", "title"), "  ", Span(title, "warning"))]
    for skipped in view.skipped[:MOST_SKIPPED]:
        lines += [clip(line(Span(_place(skipped, view), "strong"), f"  {skipped.reason}"), width)]
        if skipped.text:
            lines += [clip(line(Span(f"  {skipped.text}", "label")), width)]
    if number > MOST_SKIPPED:
        lines += [line(Span(f"and {count(number - MOST_SKIPPED)} more", "label"))]
    return lines


def _place(skipped: Skipped, view: RunView) -> str:
    rank = f"rank {skipped.rank}, " if len(view.ranks) > 1 else ""
    return f"{rank}line {count(skipped.line)}" if skipped.line else f"{rank}a record"


def event_lines(events: Sequence[EventRecord], width: int) -> list[Line]:
    """Return what the log says in words, the newest first; nothing where it says nothing."""
    if not events:
        return []
    rows: list[list[str | Span]] = [
        [Span(f"step {count(each.step)}", "label"), each.message or each.event] for each in reversed(events)
    ]
    more = line(Span(f"and {count(len(rows) - MOST_EVENTS)} before", "label")) if len(rows) > MOST_EVENTS else ()
    title = line(Span("Events", "title"))
    return [(), title, *table(rows[:MOST_EVENTS], width), *([more] if more else [])]


def record_lines(
    raw: RawLines, wish: str, width: int, height: int, ranks: Sequence[int] = (0,)
) -> tuple[list[Line], int]:
    """Return the records as they stand in the log, the wanted one marked and in the middle; and its place."""
    note = f"/{wish}" if wish else "the last ones; / goes to a step or to words"
    if not wish and len(ranks) > 1:
        note = f"the last ones of rank {ranks[0]}; / goes to a step, to words, or to rank {ranks[1]}"
    title = spread(line(Span("Records", "title")), line(Span(note, "label")), width)
    if raw.problem or not raw.lines:
        return [title, *paragraph(raw.problem or "There are none.", width, role="label")], 0
    words = wished(wish)[1]
    notice = [] if raw.wanted is not None or not words else paragraph(f"Nothing has {words!r}.", width, role="warning")
    room = max(height - 1 - len(notice), 3)
    last = len(raw.lines) if raw.wanted is None else min(raw.wanted + room // 2 + 1, len(raw.lines))
    first = max(last - room, 0)
    lines = [title, *notice]
    for number in range(first, min(first + room, len(raw.lines))):
        mark = Span("▎", "note") if number == raw.wanted else Span(" ")
        role = "strong" if number == raw.wanted else "label"
        lines.append(clip((mark, Span(printable(raw.lines[number]), role)), width))
    return lines, 0 if raw.wanted is None else raw.wanted - first + 1 + len(notice)
