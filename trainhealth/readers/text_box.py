"""Boxes among printed text: between two rules a line for each number, with its name.

---------------------------------
| rollout/           |          |         --------------------------
|    ep_rew_mean     | 22.5     |         | EpRewMean | 22.5       |
| time/              |          |         | loss      | 5.88       |
|    iterations      | 1        |         --------------------------
---------------------------------

Stable-Baselines, OpenAI's Baselines and Spinning Up print them. Source: stable_baselines3/common/logger.py,
HumanOutputFormat.
"""

from __future__ import annotations

import re

from trainhealth.readers.names import Names, of_reinforcement
from trainhealth.readers.rows import as_number

_RULE = re.compile(r"^-{8,}$")
_LINE = re.compile(r"^\|(?P<indent>\s*)(?P<name>[A-Za-z][^|]*?)\s*\|(?P<value>[^|]*)\|$")
_MOST = 200  # lines of a box; more are none
_SHORTENED = "..."  # at the end of a name that was too long for the box


class TextBox:
    """Keeps the lines of a box until its end."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._row: dict[str, object] = {}
        self._section = ""
        self.open = False  # whether the next line may be one of a box

    def row(self, text: str) -> dict[str, object] | None:
        """Return the box's numbers by name where the line ends it; {} for another line of it, None for one of none."""
        stripped = text.strip()
        if _RULE.match(stripped):
            row, self._row, self._section = self._row, {}, ""
            self.open = not row
            return row if self._tells(row) else None
        line = _LINE.match(stripped) if self.open and len(self._row) < _MOST else None
        if line is None:
            self._row, self._section, self.open = {}, "", False
            return None
        name, value = line["name"], line["value"].strip()
        if not value and name.endswith("/"):
            self._section = name
        elif as_number(value) is not None:
            section = self._section if len(line["indent"]) > 1 else ""
            self._row[f"{section}{name}".removesuffix(_SHORTENED)] = value
        elif not self._row:
            self.open = False  # the header of a table
            return None
        return {}

    def _tells(self, row: dict[str, object]) -> bool:
        """Tell numbers of a training from settings, which some programs print in a box as well."""
        return any(
            of_reinforcement(name) or self._names.meaning(name).name.endswith(("_loss", "_accuracy")) for name in row
        )
