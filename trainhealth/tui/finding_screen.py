"""The page of one finding, with what can be done there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from textual.app import App

from trainhealth.findings import Finding
from trainhealth.tui.clipboard import copy_text
from trainhealth.tui.commands import FINDING, bindings
from trainhealth.tui.finding_page import finding_page
from trainhealth.tui.kept import Kept
from trainhealth.tui.lines import Line
from trainhealth.tui.look import Look
from trainhealth.tui.page import Page
from trainhealth.tui.snapshot import Snapshot
from trainhealth.tui.snippets import snippets_of

if TYPE_CHECKING:
    from trainhealth.tui.app import Dashboard


class Copier:
    """Copies the code of a finding's remedies; asked for the same finding again, the next piece."""

    def __init__(self) -> None:
        self._last = ("", -1)  # the finding, and which of its snippets was copied

    def copy(self, app: App[object], finding: Finding | None) -> None:
        """Copy, and say what and where to."""
        snippets = snippets_of(finding) if finding else ()
        if finding is None or not snippets:
            app.notify("There is no code for this finding." if finding else "There is no finding.", timeout=3)
            return
        number = (self._last[1] + 1) % len(snippets) if self._last[0] == finding.id else 0
        self._last = (finding.id, number)
        place = copy_text(snippets[number].code, os.environ, app.copy_to_clipboard)
        which = f" ({number + 1} of {len(snippets)}; c again: the next)" if len(snippets) > 1 else ""
        app.notify(f"Copied {snippets[number].recipe}{which} to {place}.", timeout=4)


class FindingScreen(Page):
    """A finding in full; it follows the run."""

    BINDINGS = bindings(FINDING)

    def __init__(self, snapshot: Snapshot, finding: Finding, look: Look, copier: Copier) -> None:
        self._finding_id, self._copier = finding.id, copier
        kept = Kept()

        def page(shown: Snapshot, width: int) -> list[Line]:
            return finding_page(shown, finding.id, width, look, kept)

        super().__init__("Finding", snapshot, page)
        self.hint = "c copy the code · m mute · esc to go back"

    @property
    def _finding(self) -> Finding | None:
        return next((finding for finding in self.shown.diagnosis.findings if finding.id == self._finding_id), None)

    # --- actions, in the order of `commands.FINDING` ---

    def action_copy(self) -> None:
        """Copy the code of a remedy."""
        self._copier.copy(self.app, self._finding)

    def action_mute(self) -> None:
        """Mute this finding for this run, or show it again."""
        cast("Dashboard", self.app).mute(self._finding_id)
