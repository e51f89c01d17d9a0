"""The help: every key, and how to read the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from trainhealth.tui.commands import SECTIONS, Command
from trainhealth.tui.keymap import shown_keys
from trainhealth.tui.lines import Line, Span, line, paragraph

_READING = (
    (
        "✖ ▲ ●",
        "strong",
        "A finding: critical, a warning, a note. The cause comes first, what it explains stands below it.",
    ),
    ("✖ ↑ ↓", "critical", "In a chart: NaN (on the axis of steps), infinity, and what lies below a logarithmic axis."),
    ("━ ◆", "train", "A curve, smoothed over its raw values, which lie dim behind it; ◆ is an epoch or an evaluation."),
    ("┄", "label", "A value to compare with: an update ratio of about 1e-3 is usual."),
    ("┴ ↘ ◆", "axis", "On the axis below: a finding began, the learning rate was cut, the model was evaluated."),
    ("━━", "warning", "On the axis below, and shaded above it: the steps that the selected finding rests on."),
    ("mouse", "strong", "On a chart: a click sets the cursor, the wheel zooms, dragging moves what is shown."),
    ("▸ ▾", "label", "In the layers a group of them, which shows its worst layer; enter opens and closes it."),
    ("▁▄█", "value", "In the layers a row is a layer and a column a time; the number at the end is the newest value."),
)


def help_page(width: int, keymap: Mapping[str, str]) -> list[Line]:
    """Return the page of help; `keymap` has the commands whose keys the user has changed."""
    return [
        *[row for title, commands in SECTIONS for row in _keys(title, commands, width, keymap)],
        line(Span("How to read the screen", "title")),
        *[row for sign, role, text in _READING for row in paragraph(text, width, first=Span(sign, role), indent=10)],
        (),
        *paragraph("A colour never stands alone: signs, words and numbers say the same.", width, role="label"),
    ]


def _keys(title: str, commands: Sequence[Command], width: int, keymap: Mapping[str, str]) -> list[Line]:
    keys = [shown_keys(command, keymap) for command in commands]
    indent = max(map(cell_len, keys)) + 2
    rows = [
        row
        for command, key in zip(commands, keys, strict=True)
        for row in paragraph(command.meaning, width, first=Span(key, "strong"), indent=indent)
    ]
    return [line(Span(title, "title")), *rows, ()]
