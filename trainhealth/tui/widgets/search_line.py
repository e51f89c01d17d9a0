"""A line at the bottom of the screen into which words are typed; what they are looked for in follows every letter."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from trainhealth.tui.commands import SEARCH, bindings


class SearchLine(Input):
    """Calls `changed` with the words at every letter; enter keeps them, escape takes them back."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(SEARCH)

    def __init__(self, words: str, placeholder: str, changed: Callable[[str], None]) -> None:
        super().__init__(words, placeholder=placeholder, compact=True, id="search")
        self._changed = changed

    def on_mount(self) -> None:
        """Take the keys."""
        self.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Hand on what is typed."""
        event.stop()
        self._changed(self.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the words."""
        event.stop()
        self.remove()

    def on_blur(self) -> None:
        """Keep the words where a click went elsewhere."""
        self.remove()

    # --- actions, in the order of `commands.SEARCH` ---

    def action_forget(self) -> None:
        """Take the words back."""
        self._changed("")
        self.remove()


def open_search(screen: Screen[object], words: str, placeholder: str, changed: Callable[[str], None]) -> None:
    """Ask for words at the bottom of a screen; `words` are those in force."""
    if not screen.query(SearchLine):
        screen.mount(SearchLine(words, placeholder, changed), before="Footer")
