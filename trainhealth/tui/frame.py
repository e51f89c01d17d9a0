"""One frame as plain text (``trainhealth live --once``): what the dashboard would show, from top to bottom."""

from __future__ import annotations

import dataclasses

from trainhealth.diagnosis import why_empty
from trainhealth.tui.charts import draw_chart
from trainhealth.tui.figures import loss_figure
from trainhealth.tui.findings_list import entries, findings_lines
from trainhealth.tui.heatmap import heat_map
from trainhealth.tui.heatmap_lines import draw_heat_map
from trainhealth.tui.layer_kinds import kinds_in
from trainhealth.tui.lines import Line, plain
from trainhealth.tui.look import Look
from trainhealth.tui.reading import Reading
from trainhealth.tui.run_header import header_lines
from trainhealth.tui.snapshot import OWN_FORMAT, Condition, Snapshot, State

CHART_HEIGHT = 14
MOST_LAYERS = 40


def newest_snapshot(reading: Reading) -> Snapshot:
    """Read everything that there is now, and diagnose it; another tool's log without anything known is no log."""
    newest = Snapshot(str(reading.path))
    for _ in range(2):  # what there is, and then what it comes to if nothing more is to come
        while (snapshot := reading.turn()) is not None or reading.eager:
            newest = snapshot or newest
        reading.settle()
    nothing = why_empty(reading.path, newest.view) if newest.view.format != OWN_FORMAT else None
    if nothing is None:
        return newest
    return dataclasses.replace(newest, condition=Condition(State.UNREADABLE, nothing.message, nothing.hint))


def frame_text(snapshot: Snapshot, width: int, look: Look) -> str:
    """Return a frame that ends with a line feed and has no blanks at the ends of lines."""
    look = Look(look.glyphs, colour=False)
    view = snapshot.view
    lines: list[Line] = [*header_lines(snapshot, width), (), *findings_lines(snapshot, width, keys=False)[0], ()]
    listed = entries(snapshot)
    leader = listed[0].finding if listed else None
    lines += draw_chart(loss_figure(view, leader), width, CHART_HEIGHT, look)
    kinds = kinds_in(view)
    if kinds:
        evidence = [item.signal for item in leader.evidence] if leader else []
        heat = heat_map(view, next((kind for kind in kinds if kind.signal in evidence), kinds[0]))
        lines += [(), *draw_heat_map(heat, width, min(len(heat.places), MOST_LAYERS) + 2, look)]
    return "".join(f"{look.text(plain(content)).rstrip()}\n" for content in lines)
