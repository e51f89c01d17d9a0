"""The help: every key, and how to read the screen."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.tui.commands import ANYWHERE, DASHBOARD, PAGE, Command
from trainhealth.tui.lines import Line, Span, line, paragraph, table

_READING = (
    (
        "✖ ▲ ●",
        "strong",
        "A finding: critical, a warning, a note. The cause comes first, what it explains stands below it.",
    ),
    ("✖ ↑ ↓", "critical", "In a chart: NaN (on the axis of steps), infinity, and what lies below a logarithmic axis."),
    ("━ ◆", "train", "A curve, smoothed over its raw values, which lie dim behind it; ◆ is an epoch or an evaluation."),
    ("┄", "label", "A value to compare with: an update ratio of about 1e-3 is usual."),
    ("▁▄█", "value", "In the layers a row is a layer and a column a time; the number at the end is the newest value."),
)


def help_page(width: int) -> list[Line]:
    """Return the page of help."""
    return [
        *_keys("Keys", (*DASHBOARD, *ANYWHERE), width),
        *_keys("On a page like this one", PAGE, width),
        line(Span("How to read the screen", "title")),
        *[row for sign, role, text in _READING for row in paragraph(text, width, first=Span(sign, role), indent=10)],
        (),
        *paragraph("A colour never stands alone: signs, words and numbers say the same.", width, role="label"),
    ]


def _keys(title: str, commands: Sequence[Command], width: int) -> list[Line]:
    rows = [[Span(command.shown, "strong"), Span(command.meaning)] for command in commands]
    return [line(Span(title, "title")), *table(rows, width), ()]
