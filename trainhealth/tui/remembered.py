"""What of a dashboard's look is remembered for a folder: the view, and how the curves are drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Container

from trainhealth.tui.across import Across
from trainhealth.tui.lens import Lens
from trainhealth.tui.memory import Memory

_AXES = {None: "", True: "logarithmic", False: "linear"}


def remembered_view(memory: Memory, views: Container[str], default: str) -> str:
    """Return the view that was shown last."""
    view = memory.choice("view", default)
    return view if view in views else default


def remembered_lens(memory: Memory) -> Lens:
    """Return a lens as the last one was, over the whole run: which part of it was looked at says nothing of another."""
    across, axis = memory.choice("across", str(Lens.across)), memory.choice("axis", "")
    return dataclasses.replace(
        Lens(),
        across=Across(across) if across in list(Across) else Lens.across,
        log=next((log for log, name in _AXES.items() if name == axis), None),
        everything=memory.choice("all-curves", Lens.everything),
    ).smoother(memory.choice("smoothing", Lens.smoothing))


def remember_lens(memory: Memory, lens: Lens) -> None:
    """Remember how the curves are drawn; a cursor that moves changes nothing, and is no reason to write a file."""
    if _kept(remembered_lens(memory)) != _kept(lens):
        for name, value in _kept(lens).items():
            memory.choose(name, value)


def _kept(lens: Lens) -> dict[str, str | int | bool]:
    return {
        "across": str(lens.across),
        "axis": _AXES[lens.log],
        "all-curves": lens.everything,
        "smoothing": lens.smoothing,
    }
