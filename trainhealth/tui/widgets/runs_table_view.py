"""The table of runs on the screen: it scrolls, one run is selected, some are chosen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from trainhealth.tui.lines import Line, Span, paragraph, width_of
from trainhealth.tui.run_colours import COLOURS, run_colours
from trainhealth.tui.runs_csv import runs_csv
from trainhealth.tui.runs_order import ORDERS, Order, matching, ordered
from trainhealth.tui.runs_row import RunRow, RunsSnapshot
from trainhealth.tui.runs_table import Columns, columns_for, head_line, row_line
from trainhealth.tui.widgets.painting import Painted

_AHEAD = 10  # rows beyond those on the screen that are read, so that scrolling finds them there


class RunsTable(Painted, ScrollView, can_focus=False):
    """Shows the runs in an order, those that match the words of a filter; draws the rows on the screen only."""

    class Moved(Message):
        """Other rows are on the screen, another one is selected, or others are chosen."""

    class Opened(Message):
        """The selected run was clicked again."""

    def __init__(self) -> None:
        super().__init__(id="runs")
        self.rows: list[RunRow] = []  # in the order of the table
        self.chosen: list[str] = []  # paths, in the order in which they were chosen
        self.order, self.reverse, self.words = ORDERS[0], False, ""
        self._snapshot: RunsSnapshot | None = None
        self._selected: str | None = None  # the run's path; None: the first, whichever that is
        self._columns = Columns({})
        self._drawn: tuple[int, dict[str, int]] = (0, {})  # the selected row and the colours, while rows are drawn

    def show(self, snapshot: RunsSnapshot) -> None:
        """Show another moment; the selected run stays selected wherever it goes."""
        self._snapshot = snapshot
        self._arrange()

    @property
    def selected(self) -> RunRow | None:
        """The selected run."""
        return self.rows[self._index] if self.rows else None

    @property
    def in_sight(self) -> tuple[str, ...]:
        """The paths of the runs on the screen, then of those a little further."""
        first = round(self.scroll_offset.y)
        last = first + max(self.size.height - 1, 1)
        around = [*self.rows[first:last], *self.rows[last : last + _AHEAD], *self.rows[max(first - _AHEAD, 0) : first]]
        return tuple(row.path for row in around)

    def csv(self) -> str:
        """Return the rows of the table, those beyond the screen too."""
        return runs_csv(self.rows)

    @property
    def colours(self) -> dict[str, int]:
        """The colours of the chosen runs, by path."""
        return self._coloured(self.chosen)

    def chosen_with_selected(self) -> dict[str, int]:
        """Return the colours of the chosen runs; where one is chosen only, also that of the selected one."""
        more = [self.selected.path] if len(self.chosen) == 1 and self.selected is not None else []
        return self._coloured(list(dict.fromkeys((*self.chosen, *more))))

    def _coloured(self, paths: Sequence[str]) -> dict[str, int]:
        names = {row.path: row.name for row in self._snapshot.rows} if self._snapshot else {}
        known = [path for path in paths if path in names]
        colours = run_colours(names[path] for path in known)
        return {path: colours[names[path]] for path in known}

    def move(self, by: int) -> None:
        """Select another run; at the ends of the table the selection stays."""
        if self.rows:
            self._select(min(max(self._index + by, 0), len(self.rows) - 1))

    def move_pages(self, by: int) -> None:
        """Select the run a page further."""
        self.move(by * max(self.size.height - 2, 1))

    def choose(self) -> bool:
        """Choose the selected run, or no longer, and go on to the next; return whether there was a colour for it."""
        row = self.selected
        if row is None:
            return True
        if row.path in self.chosen:
            self.chosen.remove(row.path)
        elif len(self.chosen) < COLOURS:
            self.chosen.append(row.path)
        else:
            return False
        self.move(1)
        self._redraw()
        return True

    def clear(self) -> None:
        """Choose no run."""
        self.chosen.clear()
        self._redraw()

    def sort(self, order: Order, *, reverse: bool = False) -> None:
        """Put the runs in another order."""
        self.order, self.reverse = order, reverse
        self._arrange()
        self._reveal()

    def filter(self, words: str) -> None:
        """Show only the runs in which the words occur."""
        self.words = words
        self._arrange()
        self._reveal()

    def _arrange(self) -> None:
        if self._snapshot is not None:
            self.rows = ordered(matching(self._snapshot.rows, self.words), self.order, reverse=self.reverse)
        self._redraw()

    def _redraw(self) -> None:
        width = self.scrollable_content_region.width
        self._columns = columns_for(self.rows, width)
        self._drawn = (self._index, self.colours)
        self.virtual_size = Size(1, len(self.rows) + 1)
        self.refresh()
        self.post_message(self.Moved())

    @property
    def _index(self) -> int:
        return next((number for number, row in enumerate(self.rows) if row.path == self._selected), 0)

    def _select(self, number: int) -> None:
        self._selected = self.rows[number].path
        self._reveal()
        self._redraw()

    def _reveal(self) -> None:
        """Scroll to the selected run."""
        # the head stands over the first line that is scrolled to, whichever that is
        self.scroll_to_region(Region(0, self._index, 1, 2), animate=False, force=True)

    def on_resize(self) -> None:
        """Choose the columns for the new width."""
        self._redraw()

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Tell which rows are on the screen now."""
        super().watch_scroll_y(old, new)
        self.post_message(self.Moved())

    def on_click(self, event: Click) -> None:
        """Select what is clicked, open it when it was selected; at the head of a column sort by it."""
        if event.y == 0:
            self._sort_at(event.x)
            return
        number = event.y - 1 + round(self.scroll_offset.y)
        if number >= len(self.rows):
            return
        if number == self._index:
            self.post_message(self.Opened())
        else:
            self._select(number)

    def _sort_at(self, cell: int) -> None:
        under = [name for name, start in self._columns.starts().items() if start <= cell]
        order = next((order for order in ORDERS if under and order.id == under[-1]), None)
        if order is not None:
            self.sort(order, reverse=order is self.order and not self.reverse)

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme."""
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return the head, or one of the rows that are scrolled into view."""
        width = self.scrollable_content_region.width
        return self.paint(self._line(y, width), width)

    def _line(self, y: int, width: int) -> Line:
        if self._snapshot is None or not self._snapshot.listed:
            return ()
        if not self.rows:
            why = self._snapshot.problem or f"no run has “{self.words}”: backspace, or esc, shows all again"
            told = paragraph(why, width - 4, first="  ", indent=2, role="label")
            return told[y - 1] if 0 < y <= len(told) else ()
        if y == 0:
            return head_line(self._columns, self.order, reverse=self.reverse)
        number = y - 1 + round(self.scroll_offset.y)
        if number >= len(self.rows):
            return ()
        row = self.rows[number]
        index, colours = self._drawn
        selected = number == index
        content = row_line(row, self._columns, self._snapshot.time, selected=selected, colour=colours.get(row.path))
        if not selected:
            return content
        filled = width_of(content)
        return tuple(
            Span(span.text, f"{span.role}@selected") for span in (*content, Span(" " * max(width - filled, 0)))
        )
