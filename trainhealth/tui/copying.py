"""Copying the code of a finding's remedies with one key."""

from __future__ import annotations

import os

from textual.app import App

from trainhealth.findings import Finding


class Copier:
    """Copies the code of a finding's remedies; asked for the same finding again, the next piece."""

    def __init__(self) -> None:
        self._last = ("", -1)  # the finding, and which of its snippets was copied

    def copy(self, app: App[object], finding: Finding | None) -> None:
        """Copy, and say what and where to."""
        # only now: the first frame does without the recipe book
        from trainhealth.tui.clipboard import copy_text
        from trainhealth.tui.snippets import snippets_of

        snippets = snippets_of(finding) if finding else ()
        if finding is None or not snippets:
            app.notify("There is no code for this finding." if finding else "There is no finding.", timeout=3)
            return
        number = (self._last[1] + 1) % len(snippets) if self._last[0] == finding.id else 0
        self._last = (finding.id, number)
        place = copy_text(snippets[number].code, os.environ, app.copy_to_clipboard)
        which = f" ({number + 1} of {len(snippets)}; c again: the next)" if len(snippets) > 1 else ""
        app.notify(f"Copied {snippets[number].recipe}{which} to {place}.", timeout=4)
