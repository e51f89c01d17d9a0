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
    Command("palette", "ctrl+p", "ctrl+p", "command_palette", "Commands", "Find a command; choose any theme"),
)  # fmt: skip

DASHBOARD = (
    Command("quit", "q", "q", "app.quit", "Quit", "Leave; the training goes on", True),
    Command("help", "question_mark", "?", "help", "Help", "Show the keys, and how to read the screen", True),
    Command("pause", "p,space", "p", "pause", "Pause", "Freeze the screen, or go on", True),
    Command("overview", "1", "1", "view('overview')", "Overview", "Findings, curves and layers", True, "Views"),
    Command("curves", "2", "2", "view('curves')", "Curves", "The curves alone, large", True, "Views"),
    Command("layers", "3", "3", "view('layers')", "Layers", "The layers over time alone, large", True, "Views"),
    Command("log", "4", "4", "view('log')", "Log", "Settings, the machine, the records of the log", True, "Views"),
    Command("runs", "r", "r", "app.runs", "Runs", "The table of the runs in this folder", True),
    Command("next-view", "tab", "tab", "turn(1)", "Next view", "Go from view to view"),
    Command("previous-view", "shift+tab", "shift+tab", "turn(-1)", "Previous view", "Go back from view to view"),
    Command("down", "down,j", "↓ j", "move(1)", "Down", "Select the next finding or layer; scroll down"),
    Command("up", "up,k", "↑ k", "move(-1)", "Up", "Select the finding or layer before; scroll up"),
    Command("page-down", "pagedown", "pgdn", "page(1)", "Page down", "Scroll down by a page"),
    Command("page-up", "pageup", "pgup", "page(-1)", "Page up", "Scroll up by a page"),
    Command("first", "home,g", "home g", "edge(-1)", "First", "Go to the first finding or layer"),
    Command("last", "end,G", "end G", "edge(1)", "Last", "Go to the last finding or layer"),
    Command("details", "enter", "enter", "details", "Details", "Show the selected finding or layer in full", True),
    Command("copy", "c", "c", "copy", "Copy code", "Copy the code that the selected finding advises; again: the next"),
    Command("mute", "m", "m", "mute", "Mute", "Mute the selected finding for this run, or show it again"),
    Command("show-muted", "M", "M", "show_muted", "Muted", "List the muted findings too, or hide them"),
    Command("not-checked", "n", "n", "not_checked", "Not checked", "Show what was not checked, and why"),
    Command(
        "log-axis", "y", "y", "log_axis", "Log y", "Switch between a linear and a logarithmic axis", in_footer=True
    ),
    Command("x-axis", "x", "x", "lens('across')", "X axis", "Curves over steps, epochs or time"),
    Command("smoother", "right_square_bracket", "]", "lens('smoother',1)", "Smoother", "Smooth the curves more"),
    Command("rougher", "left_square_bracket", "[", "lens('smoother',-1)", "Rougher", "Smooth the curves less"),
    Command("zoom-in", "plus,equals_sign", "+", "lens('zoom',0.5)", "Zoom in", "Show half as much around the cursor"),
    Command("zoom-out", "minus", "-", "lens('zoom',2.0)", "Zoom out", "Show twice as much around the cursor"),
    Command("cursor-left", "left,h", "← h", "lens('move',-1)", "Cursor left", "Read the curves at the cursor, back"),
    Command("cursor-right", "right,l", "→ l", "lens('move',1)", "Cursor right", "Read the curves at the cursor, on"),
    Command("pan-left", "H,shift+left", "H", "lens('pan',-0.5)", "Pan left", "Show what came before"),
    Command("pan-right", "L,shift+right", "L", "lens('pan',0.5)", "Pan right", "Show what came after"),
    Command("reset", "0", "0", "lens('reset')", "Reset", "Show the whole run, without a cursor"),
    Command("all-curves", "a", "a", "lens('everything')", "All curves", "A chart of every signal, or the usual ones"),
    Command("next-signal", "s", "s", "signal(1)", "Signal", "Show the next signal of the layers", True),
    Command("previous-signal", "S", "S", "signal(-1)", "Previous signal", "Show the signal of the layers before"),
    Command("export", "e", "e", "export", "Export", "Keep the view as a picture, its data, or the report"),
    Command("group", "o", "o", "group", "Group layers", "One row for the layers of a module, or one for every layer"),
    Command("search", "slash", "/", "search", "Search", "Show what has these words in its name"),
    Command("next-theme", "t", "t", "app.next_theme", "Next theme", "Dark, light, colour-blind safe, high contrast"),
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


FINDING = (
    Command("finding-copy", "c", "c", "copy", "Copy code", "Copy the code that the finding advises; again: the next"),
    Command("finding-mute", "m", "m", "mute", "Mute", "Mute the finding for this run, or show it again"),
)

COMPARE = (Command("compare-export", "e", "e", "export", "Export", "Keep the comparison as a picture, or its numbers"),)

EXPORT = (
    Command("export-svg", "s", "s", "keep('svg')", "Picture", "The view as it is on the screen (SVG)"),
    Command("export-csv", "c", "c", "keep('csv')", "Data", "The numbers in the view (CSV)"),
    Command("export-markdown", "m", "m", "keep('markdown')", "Report", "The diagnosis as a text, for notes (Markdown)"),
    Command("export-html", "h", "h", "keep('html')", "Page", "The diagnosis with its curves, for a browser (HTML)"),
    Command("export-choose", "enter", "enter", "choose", "Choose", "Keep what is selected"),
    Command("export-down", "down,j", "↓ j", "move(1)", "Down", "Select the next entry"),
    Command("export-up", "up,k", "↑ k", "move(-1)", "Up", "Select the entry before"),
    Command("export-back", "escape,q,e", "esc", "back", "Back", "Keep nothing"),
)

REPLAY = (
    Command("slower", "less_than_sign", "<", "faster(-1)", "Slower", "Play more slowly"),
    Command("faster", "greater_than_sign", ">", "faster(1)", "Faster", "Play faster"),
    Command("moment-back", "comma", ",", "step(-1)", "Back", "Go one step back, and stay there"),
    Command("moment-forward", "full_stop", ".", "step(1)", "Forward", "Go one step forward, and stay there"),
    Command("beginning", "home", "home", "seek(0)", "Beginning", "Go to the run's beginning"),
    Command("ending", "end", "end", "seek(1)", "Ending", "Go to the run's end"),
)

RUNS = (
    Command("runs-quit", "q", "q", "app.quit", "Quit", "Leave; the training goes on", True),
    Command("runs-help", "question_mark", "?", "help", "Help", "Show the keys, and how to read the screen", True),
    Command("run-open", "enter", "enter", "open", "Open", "Show the selected run", True),
    Command("run-choose", "space", "space", "choose", "Choose", "Choose a run for comparing, or no longer", True),
    Command("runs-overlay", "v", "v", "overlay", "Overlay", "The chosen runs in one chart", True),
    Command("runs-compare", "d", "d", "compare", "Compare", "What differs between two chosen runs", True),
    Command("runs-clear", "x", "x", "clear", "Choose none", "Choose no run"),
    Command("runs-sort", "o", "o", "sort", "Sort", "Sort by the next column", True),
    Command("runs-reverse", "O", "O", "reverse", "Reverse", "Sort the other way round"),
    Command("runs-filter", "slash", "/", "filter", "Find", "Show only runs with these words", True),
    Command("run-down", "down,j", "↓ j", "move(1)", "Down", "Select the next run"),
    Command("run-up", "up,k", "↑ k", "move(-1)", "Up", "Select the run before"),
    Command("run-page-down", "pagedown", "pgdn", "page(1)", "Page down", "Select the run a page further"),
    Command("run-page-up", "pageup", "pgup", "page(-1)", "Page up", "Select the run a page before"),
    Command("run-first", "home,g", "home g", "edge(-1)", "First", "Select the first run"),
    Command("run-last", "end,G", "end G", "edge(1)", "Last", "Select the last run"),
    Command("runs-theme", "t", "t", "app.next_theme", "Next theme", "Dark, light, colour-blind safe, high contrast"),
    Command("runs-export", "e", "e", "export", "Export", "Keep the table as a picture or as data"),
    Command("runs-back", "escape,r", "esc r", "back", "Back", "Show all runs; go back to the first run"),
)

OVERLAY = (
    Command("overlay-quit", "q", "q", "app.quit", "Quit", "Leave; the training goes on", True),
    Command("overlay-help", "question_mark", "?", "help", "Help", "Show the keys, and how to read the screen", True),
    Command("overlay-next-signal", "s", "s", "signal(1)", "Signal", "Show the next signal of the runs", True),
    Command("overlay-previous-signal", "S", "S", "signal(-1)", "Previous signal", "Show the signal before"),
    Command("overlay-log", "y", "y", "log_axis", "Log y", "Switch between a linear and a logarithmic axis", True),
    Command("overlay-across", "x", "x", "across", "X axis", "Over steps, epochs or time", True),
    Command("overlay-rougher", "left_square_bracket", "[", "smooth(-1)", "Rougher", "Smooth the curves less"),
    Command("overlay-smoother", "right_square_bracket", "]", "smooth(1)", "Smoother", "Smooth the curves more"),
    Command("overlay-down", "down,j", "↓ j", "move(1)", "Down", "Bring the next run to the front"),
    Command("overlay-up", "up,k", "↑ k", "move(-1)", "Up", "Bring the run before to the front"),
    Command("overlay-open", "enter", "enter", "open", "Open", "Show the run in front", True),
    Command("overlay-theme", "t", "t", "app.next_theme", "Next theme", "Dark, light, colour-blind safe, high contrast"),
    Command("overlay-export", "e", "e", "export", "Export", "Keep the chart as a picture, or its numbers"),
    Command("overlay-back", "escape,v", "esc", "back", "Back", "Go back to the table", True),
)

SEARCH = (Command("search-forget", "escape", "esc", "forget", "Forget", "Forget the words; enter keeps them", True),)

# Every command, under the headings of the help; a command belongs to one of them only.
SECTIONS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    ("Keys", (*DASHBOARD, *ANYWHERE)),
    ("On a page like this one", PAGE),
    ("On the page of a finding", FINDING),
    ("While typing words", SEARCH),
    ("In the menu of exports", EXPORT),
    ("In a replay (p plays and pauses)", REPLAY),
    ("In the table of runs", RUNS),
    ("Over runs in one chart", OVERLAY),
    ("On the page that compares two runs", COMPARE),
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
