"""The table of runs as plain text (``trainhealth live --once FOLDER``): all runs, each of them diagnosed."""

from __future__ import annotations

from trainhealth.tui.lines import Line, plain
from trainhealth.tui.look import Look
from trainhealth.tui.runs_order import ORDERS, ordered
from trainhealth.tui.runs_reading import RunsReading, Wish
from trainhealth.tui.runs_row import Depth, RunsSnapshot
from trainhealth.tui.runs_table import columns_for, head_line, row_line, title_lines


def newest_runs(reading: RunsReading) -> RunsSnapshot:
    """Read everything that there is now."""
    reading.wish = Wish(everywhere=Depth.READ)
    newest = RunsSnapshot(str(reading.folder))
    while reading.busy:
        newest = reading.turn() or newest
    return newest


def runs_frame_text(snapshot: RunsSnapshot, width: int, look: Look) -> str:
    """Return the table, the newest runs first; it ends with a line feed and has no blanks at the ends of lines."""
    order = ORDERS[0]
    rows = ordered(snapshot.rows, order)
    columns = columns_for(rows, width)
    lines: list[Line] = [*title_lines(snapshot, len(rows), "", width), (), head_line(columns, order, reverse=False)]
    lines += [row_line(row, columns, snapshot.time) for row in rows]
    return "".join(f"{look.text(plain(content)).rstrip()}\n" for content in lines)
