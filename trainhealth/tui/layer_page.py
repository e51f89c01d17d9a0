"""The page of one layer: what it is, what was found in it, and the curves of everything that is logged of it."""

from __future__ import annotations

from collections.abc import Sequence

from trainhealth.findings import Finding
from trainhealth.series import RunView
from trainhealth.tui.amounts import count
from trainhealth.tui.charts import Figure, draw_chart
from trainhealth.tui.evidence_charts import place_figure
from trainhealth.tui.finding_parts import since
from trainhealth.tui.layer_kinds import kinds_in
from trainhealth.tui.lines import Line, Span, line, paragraph, spread, width_of
from trainhealth.tui.look import Look
from trainhealth.tui.page import Page
from trainhealth.tui.signs import HEALTHY, sign
from trainhealth.tui.snapshot import Snapshot

_HEIGHT = 8  # lines of a chart
_TWO_COLUMNS_FROM = 96  # cells of a page on which charts stand side by side
_GAP = 3  # cells between them


class LayerPage(Page):
    """A layer in full; it follows the run."""

    def __init__(self, snapshot: Snapshot, place: str, look: Look) -> None:
        super().__init__("Layer", snapshot, lambda shown, width: layer_page(shown, place, width, look))
        self.add_class("-full")


def layer_page(snapshot: Snapshot, place: str, width: int, look: Look) -> list[Line]:
    """Return the page of the layer that a row of the heat map stands for: a layer, its function or its parameter."""
    view = snapshot.view
    module = module_of(place, view)
    places = _places(module, place, view)
    figures = [place_figure(kind.signal, places, view) for kind in kinds_in(view)]
    return [
        line(Span(module, "title")),
        *_described(places, view, width),
        (),
        *_findings(places, snapshot, width),
        *_charts([figure for figure in figures if figure.curves and not _is_zero(figure)], width, look),
    ]


def module_of(place: str, view: RunView) -> str:
    """Return the module that a place belongs to: a parameter its owner, an activation function the layer before it."""
    owner = next((entry.layer for entry in view.parameters if entry.name == place), "")
    return owner or place.partition("/")[0]


def _places(module: str, place: str, view: RunView) -> list[str]:
    """Return the module's outputs and parameters, in the order of the layout."""
    outputs = [entry.name for entry in view.layers if entry.name == module or entry.name.startswith(f"{module}/")]
    parameters = [entry.name for entry in view.parameters if entry.layer == module]
    return list(dict.fromkeys([*outputs, *parameters, place]))


def _described(places: Sequence[str], view: RunView, width: int) -> list[Line]:
    lines: list[Line] = []
    for layer in view.layers:
        if layer.name in places:
            units = f", {count(layer.units)} units" if layer.units else ""
            fed = f", fed by {layer.fed_by}" if layer.fed_by else ""
            lines += paragraph(f"{layer.name}: {layer.type}{units}{fed}", width, role="label")
    for parameter in view.parameters:
        if parameter.name in places:
            shape = " x ".join(map(str, parameter.shape)) or "a number"
            frozen = "" if parameter.trainable else ", frozen"
            lines += paragraph(f"{parameter.name}: {shape}{frozen}", width, role="label")
    return lines


def _findings(places: Sequence[str], snapshot: Snapshot, width: int) -> list[Line]:
    """Return the findings that name the layer, muted or not: the page is about all that is known of it."""
    named = [finding for finding in snapshot.diagnosis.findings if _names(finding, places)]
    if not named:
        return [line(Span(f"{HEALTHY} no finding names it", "label"))]
    lines: list[Line] = []
    for finding in named:
        muted = "  muted" if finding.id in snapshot.muted else ""
        head = line(Span(f"{sign(finding.severity)} {finding.name}", str(finding.severity)), Span(muted, "label"))
        lines += [spread(head, line(Span(since(finding, snapshot.view), "label")), width)]
        lines += paragraph(finding.message, width - 2, indent=2)
    return lines


def _names(finding: Finding, places: Sequence[str]) -> bool:
    return finding.place in places or any(item.place in places for item in finding.evidence)


def _is_zero(figure: Figure) -> bool:
    """Tell whether nothing happened: the counts of NaN are zero all the time in most runs."""
    return all(not curve.series.values.any() for curve in figure.curves)


def _charts(figures: Sequence[Figure], width: int, look: Look) -> list[Line]:
    """Return the charts, two side by side where there is room."""
    across = 2 if width >= _TWO_COLUMNS_FROM else 1
    size = (width - _GAP * (across - 1)) // across
    lines: list[Line] = []
    for begin in range(0, len(figures), across):
        drawn = [draw_chart(figure, size, _HEIGHT, look) for figure in figures[begin : begin + across]]
        lines += [(), *(drawn[0] if len(drawn) == 1 else map(_beside, *drawn, [size] * _HEIGHT))]
    return lines


def _beside(left: Line, right: Line, size: int) -> Line:
    return (*left, Span(" " * (size + _GAP - width_of(left))), *right)
