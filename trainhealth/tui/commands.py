"""Every action of the dashboard: its keys, its id (by which a keymap changes the keys), and what it does.

The footer, the help, the command palette and the tests read these lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual.binding import Binding, BindingType


class Command(NamedTuple):
    """An action, as people know it."""

    id: str
    keys: str  # the names that Textual gives them, with commas between
    shown: str  # the keys as people call them
    action: str
    label: str  # in the footer and the command palette
    meaning: str
    in_footer: bool = False
    group: str = ""  # commands of one group share a label in the footer


ANYWHERE = (
    Command("leave", "ctrl+c", "ctrl+c", "quit", "Leave", "Leave from anywhere"),
    Command("palette", "ctrl+p", "ctrl+p", "command_palette", "Commands", "Find a command; change the theme"),
)  # fmt: skip

DASHBOARD = (
    Command("quit", "q", "q", "app.quit", "Quit", "Leave; the training goes on", True),
    Command("help", "question_mark", "?", "help", "Help", "Show the keys, and how to read the screen", True),
    Command("pause", "p,space", "p", "pause", "Pause", "Freeze the screen, or go on", True),
    Command("overview", "1", "1", "view('overview')", "Overview", "Findings, curves and layers", True, "Views"),
    Command("curves", "2", "2", "view('curves')", "Curves", "The curves alone, large", True, "Views"),
    Command("layers", "3", "3", "view('layers')", "Layers", "The layers over time alone, large", True, "Views"),
    Command("next-view", "tab", "tab", "turn(1)", "Next view", "Go from view to view"),
    Command("previous-view", "shift+tab", "shift+tab", "turn(-1)", "Previous view", "Go back from view to view"),
    Command("down", "down,j", "↓ j", "move(1)", "Down", "Select the next finding; scroll the layers down"),
    Command("up", "up,k", "↑ k", "move(-1)", "Up", "Select the finding before; scroll the layers up"),
    Command("page-down", "pagedown", "pgdn", "page(1)", "Page down", "Scroll down by a page"),
    Command("page-up", "pageup", "pgup", "page(-1)", "Page up", "Scroll up by a page"),
    Command("first", "home,g", "home g", "edge(-1)", "First", "Go to the first finding or layer"),
    Command("last", "end,G", "end G", "edge(1)", "Last", "Go to the last finding or layer"),
    Command("details", "enter", "enter", "details", "Details", "Show the selected finding in full", True),
    Command("not-checked", "n", "n", "not_checked", "Not checked", "Show what was not checked, and why"),
    Command(
        "log-axis", "y", "y", "log_axis", "Log y", "Switch between a linear and a logarithmic axis", in_footer=True
    ),
    Command("next-signal", "s", "s", "signal(1)", "Signal", "Show the next signal of the layers", True),
    Command("previous-signal", "S", "S", "signal(-1)", "Previous signal", "Show the signal of the layers before"),
)

PAGE = (
    Command("page-quit", "q", "q", "app.quit", "Quit", "Leave; the training goes on"),
    Command("back", "escape,enter,backspace", "esc", "back", "Back", "Close the page"),
    Command("page-scroll-down", "down,j", "↓ j", "scroll(1)", "Down", "Scroll down"),
    Command("page-scroll-up", "up,k", "↑ k", "scroll(-1)", "Up", "Scroll up"),
    Command("page-next", "pagedown,space", "pgdn", "page(1)", "Page down", "Scroll down by a page"),
    Command("page-previous", "pageup", "pgup", "page(-1)", "Page up", "Scroll up by a page"),
    Command("page-top", "home,g", "home g", "edge(-1)", "Top", "Go to the beginning"),
    Command("page-bottom", "end,G", "end G", "edge(1)", "Bottom", "Go to the end"),
)


_GROUPS = {"": None, "Views": Binding.Group("Views", compact=True)}


def bindings(commands: Iterable[Command], *, priority: bool = False) -> list[BindingType]:
    """Return Textual's bindings for the commands."""
    return [
        Binding(
            command.keys,
            command.action,
            command.label,
            show=command.in_footer,
            key_display=command.shown if command.in_footer else None,
            tooltip=command.meaning,
            id=command.id,
            priority=priority,
            group=_GROUPS[command.group],
        )
        for command in commands
    ]
