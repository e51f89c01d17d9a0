"""The layers over time."""

from __future__ import annotations

import dataclasses

from textual.events import Click, MouseScrollDown, MouseScrollUp

from trainhealth.findings import Finding
from trainhealth.series import RunView
from trainhealth.tui.charts import draw_chart
from trainhealth.tui.evidence_charts import place_figure
from trainhealth.tui.heatmap import HeatMap, heat_map
from trainhealth.tui.heatmap_lines import draw_heat_map, lines_used, marks_of, room_for_rows, row_at
from trainhealth.tui.layer_kinds import KINDS, Kind, held_signal, kinds_in
from trainhealth.tui.layer_page import LayerPage
from trainhealth.tui.layer_rows import Choice, Row, arranged
from trainhealth.tui.lines import Line
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.widgets.drawing import Drawing
from trainhealth.tui.widgets.search_line import open_search

_WHEEL = 3  # rows that the mouse wheel scrolls
_CURVE_FROM = 28  # lines of the view in which the curve of the selected row stands too
_HIGHEST = 16  # lines of that curve


class HeatMapView(Drawing):
    """Draws one signal of all layers; which one, the evidence of the selected finding says until the user does.

    In the view of the layers alone a row is selected; beside other things it only scrolls.
    """

    def __init__(self) -> None:
        super().__init__(id="layers")
        self._chosen: Kind | None = None
        self._evidence: tuple[str, ...] = ()  # signals of the selected finding
        self._places: frozenset[str] = frozenset()  # that it names
        self._sought = False  # whether the first of these is to be in view: until the user moves
        self._choice = Choice()
        self._first_row = self._selected = 0
        self._kinds: tuple[Kind, ...] = ()  # that the run holds
        self._drawn: tuple[RunView, Kind, HeatMap] | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Show another snapshot."""
        if self.snapshot is None or self.snapshot.view is not snapshot.view:
            self._kinds = kinds_in(snapshot.view)
        super().show(snapshot)

    def suggest(self, finding: Finding | None) -> None:
        """Show what a finding rests on: one of its signals, unless the user has chosen one, and its first place."""
        evidence = finding.evidence if finding else ()
        named = tuple(item.signal for item in evidence), frozenset(item.place for item in evidence if item.place)
        if named != (self._evidence, self._places):
            self._evidence, self._places = named
            self._sought = bool(self._places)
            self.redraw()

    def _seek(self) -> None:
        """Select the first row that the finding names, and bring it into view."""
        rows, places = self._rows, self._heat.places
        named = (number for number, row in enumerate(rows) if any(places[m] in self._places for m in row.members))
        self._selected = next(named, self._selected)
        self._first_row = max(min(self._selected - self._visible // 3, len(rows) - self._visible), 0)

    def turn(self, by: int) -> None:
        """Show the next signal that the run holds, or the one before."""
        kinds, now = self._kinds or KINDS, self.kind
        self._chosen = kinds[(kinds.index(now) + by) % len(kinds)] if now in kinds else kinds[0]
        self._first_row = self._selected = 0
        self._sought = bool(self._places)
        self.redraw()

    @property
    def kind(self) -> Kind:
        """What is shown."""
        if self._chosen is not None:
            return self._chosen
        kinds = self._kinds or KINDS
        view = self.snapshot.view if self.snapshot else RunView()
        wanted = {held_signal(signal, view) for signal in self._evidence}
        return next((kind for kind in kinds if kind.signal in wanted), kinds[0])

    # --- rows ---

    @property
    def row(self) -> Row | None:
        """The selected row; None where there is none."""
        rows = self._rows
        return rows[min(self._selected, len(rows) - 1)] if rows else None

    def move(self, by: int) -> None:
        """Select another row; at the ends the selection stays."""
        self._select(self._selected + by)

    def scroll_pages(self, by: int) -> None:
        """Select the row a page further, and scroll as far."""
        self._first_row = max(min(self._first + by * self._visible, len(self._rows) - self._visible), 0)
        self._select(self._selected + by * self._visible)

    def group(self) -> None:
        """Put the layers of a module into one row, or show every layer again."""
        grouped = any(row.is_group for row in self._rows)
        self._arrange(dataclasses.replace(self._choice, grouped=not grouped, opened=frozenset()))
        if not grouped and not any(row.is_group for row in self._rows):
            self.app.notify("No names of layers begin alike: there is nothing to group.", timeout=3)

    def search(self) -> None:
        """Ask for words that the names of layers hold, and show those layers only."""

        def look_for(words: str) -> None:
            self._arrange(dataclasses.replace(self._choice, words=words))

        open_search(self.screen, self._choice.words, "layers with these words in their names", look_for)

    def open(self) -> None:
        """Open the page of the selected layer; a group shows its layers below it, or hides them again."""
        row = self.row
        if self.snapshot is None or row is None:
            return
        if row.is_group:
            self._arrange(dataclasses.replace(self._choice, opened=self._choice.opened ^ {row.name}), row.name)
        else:
            place = self._heat.places[row.members[0]]
            self.app.push_screen(LayerPage(self.snapshot, place, self.look))

    def _arrange(self, choice: Choice, selected: str = "") -> None:
        """Show the rows of another choice, and select the one of this name (by default, the first)."""
        self._choice = choice
        self._select(next((number for number, row in enumerate(self._rows) if row.name == selected), 0))
        self.redraw()

    def _select(self, number: int) -> None:
        """Select a row and scroll it into view; beyond the ends there is nothing."""
        self._sought = False
        last = len(self._rows) - 1
        self._selected = max(min(number, last), 0)
        lowest = max(self._selected - self._visible + 1, 0)
        self._first_row = min(max(self._first_row, lowest), self._selected)
        self.redraw()

    def draw(self, snapshot: Snapshot, width: int, height: int) -> list[Line]:
        """Return the heat map's lines."""
        if self._sought:  # at every drawing: with the size of their place, the rows change
            self._seek()
        rows, heat, room = self._rows, self._heat, self._room
        selected = min(self._selected, len(rows) - 1) if self._is_alone else None
        marks = marks_of(snapshot.findings)
        note = self._note
        lines = draw_heat_map(
            heat, width, room, self.look, self._first, rows=rows, selected=selected, marks=marks, note=note
        )
        if selected is None or selected < 0 or room == height:
            return lines
        used = lines_used(len(rows), room)
        places = [heat.places[member] for member in rows[selected].members]
        figure = place_figure(heat.kind.signal, places, snapshot.view)
        return [*lines[:used], (), *draw_chart(figure, width, min(height - used - 1, _HIGHEST), self.look)]

    def csv(self) -> str:
        """Return the numbers behind the drawing: a row a sampled step, a column a place."""
        from trainhealth.tui.exports import columns_csv  # it loads the reports, which the first frame does without

        return columns_csv(self.snapshot.view.columns(self.kind.signal)) if self.snapshot else ""

    @property
    def _note(self) -> str:
        """Which of the run's signals this is, and what is searched for."""
        if self.kind not in self._kinds:
            return ""
        number = f"{self._kinds.index(self.kind) + 1} of {len(self._kinds)}"
        return f"{number}  /{self._choice.words}" if self._choice.words else number

    @property
    def _first(self) -> int:
        """The first row on the screen: there may be fewer rows, or more room, than when it was chosen."""
        return max(min(self._first_row, len(self._rows) - self._visible), 0)

    @property
    def _is_alone(self) -> bool:
        """Whether the layers have the screen to themselves, and the keys."""
        return self.screen.has_class("-layers")

    @property
    def _heat(self) -> HeatMap:
        assert self.snapshot is not None  # the callers have looked
        view, kind = self.snapshot.view, self.kind
        if self._drawn is None or self._drawn[0] is not view or self._drawn[1] is not kind:
            self._drawn = (view, kind, heat_map(view, kind))
        return self._drawn[2]

    @property
    def _rows(self) -> tuple[Row, ...]:
        return arranged(self._heat.places, self._choice, self._visible) if self.snapshot else ()

    @property
    def _visible(self) -> int:
        return max(room_for_rows(self._room), 1)

    @property
    def _room(self) -> int:
        """How many lines the heat map has; on a large screen the curve of the selected row stands below it."""
        height = self.size.height
        return height if not self._is_alone or height < _CURVE_FROM else height - height // 4 - 1

    # --- the mouse ---

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Scroll with the wheel."""
        event.stop()
        self._scroll(_WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Scroll with the wheel."""
        event.stop()
        self._scroll(-_WHEEL)

    def _scroll(self, by: int) -> None:
        """Scroll; the selection stays on the screen."""
        self._sought = False
        self._first_row = max(min(self._first + by, len(self._rows) - self._visible), 0)
        self._selected = min(max(self._selected, self._first_row), self._first_row + self._visible - 1)
        self.redraw()

    def on_click(self, event: Click) -> None:
        """Select the row that is clicked, and open it when it was selected."""
        number = row_at(event.y, self._room, len(self._rows), self._first)
        if number is None or not self._is_alone:
            return
        if number == self._selected:
            self.open()
        else:
            self._select(number)
