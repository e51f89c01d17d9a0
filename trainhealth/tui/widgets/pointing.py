"""The mouse on charts: a click sets the cursor, the wheel zooms about the pointer, dragging moves what is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

from textual.events import (
    MouseDown,
    MouseMove,
    MouseScrollDown,
    MouseScrollLeft,
    MouseScrollRight,
    MouseScrollUp,
    MouseUp,
)
from textual.message import Message

from trainhealth.series import RunView
from trainhealth.tui.board import Board
from trainhealth.tui.figures import window
from trainhealth.tui.lens import CLOSER, FARTHER, Lens
from trainhealth.tui.widgets.painting import Painted

_SIDEWAYS = 0.1  # of what is shown, for one notch of a wheel


class Pointing(Painted):
    """A widget with charts in it."""

    class Looked(Message):
        """The user looks at the charts through another lens."""

        def __init__(self, lens: Lens) -> None:
            super().__init__()
            self.lens = lens

    board: Board
    _held: tuple[int, Lens] | None = None  # while the button is down: at which x, and the lens then
    _dragged = False

    def step_at(self, x: int, y: int) -> int | None:
        """Return the step that stands in a cell of the widget; None beside the plots."""
        raise NotImplementedError  # abstract

    def view(self) -> RunView:
        """Return the run that is shown."""
        raise NotImplementedError  # abstract

    def plot_cells(self) -> int:
        """Return how many cells a chart's curves are wide."""
        raise NotImplementedError  # abstract

    def change(self, change: str, amount: float) -> None:
        """Look at the charts in another way: see `Board.changed`."""
        self._look(self.board.changed(change, amount, self.view(), self.plot_cells()))

    def look_with(self, **choices: Any) -> None:
        """Look through the same lens with other choices."""
        self._look(dataclasses.replace(self.board.lens, **choices))

    def on_mouse_down(self, event: MouseDown) -> None:
        """Begin to drag, or to click."""
        if self.step_at(event.x, event.y) is not None:
            self._held, self._dragged = (event.x, self.board.lens), False
            self.capture_mouse()

    def on_mouse_move(self, event: MouseMove) -> None:
        """Move what is shown along with the pointer."""
        if self._held is None:
            return
        begun, lens = self._held
        extent = window(self.view())
        self._dragged |= event.x != begun
        if self._dragged and extent is not None:
            self._look(lens.panned(extent, self.board.ruler(self.view()), (begun - event.x) / self.plot_cells()))

    def on_mouse_up(self, event: MouseUp) -> None:
        """Set the cursor where nothing was dragged."""
        held, self._held = self._held, None
        self.release_mouse()
        step, extent = self.step_at(event.x, event.y), window(self.view())
        if held is not None and not self._dragged and step is not None and extent is not None:
            self._look(self.board.lens.pointed(extent, step))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Look closer."""
        self._zoom(event, CLOSER)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Look from farther away."""
        self._zoom(event, FARTHER)

    def on_mouse_scroll_left(self, event: MouseScrollLeft) -> None:
        """Show what came before."""
        self._pan(event, -_SIDEWAYS)

    def on_mouse_scroll_right(self, event: MouseScrollRight) -> None:
        """Show what came after."""
        self._pan(event, _SIDEWAYS)

    def _zoom(self, event: MouseScrollUp | MouseScrollDown, factor: float) -> None:
        step, extent = self.step_at(event.x, event.y), window(self.view())
        if step is not None and extent is not None:  # beside the plots, the wheel scrolls the page
            event.stop()
            event.prevent_default()
            self._look(self.board.lens.zoomed(extent, self.board.ruler(self.view()), factor, step))

    def _pan(self, event: MouseScrollLeft | MouseScrollRight, share: float) -> None:
        extent = window(self.view())
        if extent is not None:
            event.stop()
            event.prevent_default()
            self._look(self.board.lens.panned(extent, self.board.ruler(self.view()), share))

    def _look(self, lens: Lens) -> None:
        if lens != self.board.lens:
            self.post_message(self.Looked(lens))
