"""Two runs beside each other: the verdict, where their curves part, what was set differently, what went and came."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.comparison import Comparison, Difference, Verdict, compare
from trainhealth.diagnosis import Report, Run
from trainhealth.findings import Finding
from trainhealth.partings import Parting
from trainhealth.tui.across import Across
from trainhealth.tui.amounts import count, figure
from trainhealth.tui.charts import Mark, draw_chart
from trainhealth.tui.lines import Line, Span, line, paragraph, table
from trainhealth.tui.look import Look
from trainhealth.tui.run_colours import run_role
from trainhealth.tui.runs_overlay import Overlaid, overlay_figure
from trainhealth.tui.runs_row import Opened
from trainhealth.tui.signs import HEALTHY, sign

CHART_HEIGHT = 12
MOST_LAYERS = 12  # that differ; `trainhealth compare` has all
_COLUMN = 11
_VERDICTS = {
    Verdict.FIXED: (HEALTHY, "healthy"),
    Verdict.BETTER: (HEALTHY, "healthy"),
    Verdict.SAME: ("●", "note"),
    Verdict.UNDECIDED: ("●", "note"),
    Verdict.MIXED: ("▲", "warning"),
    Verdict.WORSE: ("✖", "critical"),
}
_GROUPS = {"gone": "gone", "came": "came", "stayed": "in both", "unmatched": "unsure"}


def compare_opened(before: Opened, after: Opened) -> Comparison:
    """Return what `trainhealth compare` says of two runs."""
    one, other = (Report(Run(run.view.path, run.view), run.diagnosis) for run in (before, after))
    return compare(one, other)


def compare_page(compared: Comparison, runs: tuple[Overlaid, Overlaid], width: int, look: Look) -> list[Line]:
    """Return the page; `runs` are the two, the one that is compared with first."""
    before, after = runs
    glyph, role = _VERDICTS[compared.verdict]
    names = [Span(f"{run.letter} {run.row.name}", run_role(run.colour)) for run in (after, before)]
    lines = [
        line(Span(f"{glyph} {compared.verdict}  ", role), names[0], Span("  against  ", "label"), names[1]),
        *paragraph(compared.because, width, role="strong"),
    ]
    if compared.suspicion:
        lines += paragraph(compared.suspicion, width, first=Span("▲ ", "warning"), indent=2)
    lines += [(), *_chart(compared.curves, runs, width, look)]
    lines += _section("Findings", [*_findings(compared, width), *_muted(runs)])
    lines += _section("Curves", _curves(compared.curves, runs, width))
    lines += _section("Settings", _differences(compared.settings, runs, width))
    lines += _section("Layers", _differences(compared.layers[:MOST_LAYERS], runs, width))
    if len(compared.layers) > MOST_LAYERS:
        lines.append(line(Span(f"and {count(len(compared.layers) - MOST_LAYERS)} more", "label")))
    return lines


def _section(title: str, content: Sequence[Line]) -> list[Line]:
    return [(), line(Span(title, "title")), *content] if content else []


def _chart(curves: Sequence[Parting], runs: tuple[Overlaid, Overlaid], width: int, look: Look) -> list[Line]:
    """Return the curves by which the runs are judged, marked where they part; without a judgement, their loss."""
    judged = curves[0] if curves else None
    marks = () if judged is None or judged.step is None else (Mark(judged.step, "warning"),)
    shown = overlay_figure(runs, judged.signal if judged else "train_loss", Across.STEP, 0, front=1, marks=marks)
    return draw_chart(shown, width, CHART_HEIGHT, look)


def _findings(compared: Comparison, width: int) -> list[Line]:
    lines: list[Line] = []
    for name, findings in compared.groups().items():
        label = _GROUPS[name]
        for finding in findings:
            lines += _finding(finding, label, width)
            label = ""
    return lines or [line(Span(f"{HEALTHY} nothing was found in either", "healthy"))]


def _muted(runs: tuple[Overlaid, Overlaid]) -> list[Line]:
    number = sum(run.row.muted for run in runs)
    return [line(Span(f"{count(number)} muted, and left out of the comparison", "label"))] if number else []


def _finding(finding: Finding, label: str, width: int) -> list[Line]:
    head = line(
        Span(label.ljust(_COLUMN), "label"), Span(f"{sign(finding.severity)} ", str(finding.severity)), finding.name
    )
    return [head, *paragraph(finding.message, width, indent=_COLUMN + 2, role="label")]


def _curves(curves: Sequence[Parting], runs: tuple[Overlaid, Overlaid], width: int) -> list[Line]:
    rows: list[list[str | Span]] = [
        [
            curve.signal,
            figure(curve.before),
            figure(curve.after),
            Span("apart from step " + count(curve.step) if curve.step is not None else "they stay together", "label"),
            Span(
                {1: "better", -1: "worse"}.get(curve.decided, ""), {1: "healthy", -1: "critical"}.get(curve.decided, "")
            ),
        ]
        for curve in curves
    ]
    return _two(rows, runs, width)


def _differences(differences: Sequence[Difference], runs: tuple[Overlaid, Overlaid], width: int) -> list[Line]:
    return _two([[item.name, _said(item.before), _said(item.after)] for item in differences], runs, width)


def _two(rows: list[list[str | Span]], runs: tuple[Overlaid, Overlaid], width: int) -> list[Line]:
    """Return a table with a column for each of the runs."""
    if not rows:
        return []
    head: list[str | Span] = ["", *(Span(run.letter, run_role(run.colour)) for run in runs)]
    return table([head + [""] * (len(rows[0]) - 3), *rows], width)


def _said(value: object) -> str | Span:
    return Span("none", "label") if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
