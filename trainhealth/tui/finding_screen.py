"""The page of one finding, with what can be done there."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from trainhealth.findings import Finding
from trainhealth.tui.commands import FINDING, bindings
from trainhealth.tui.copying import Copier
from trainhealth.tui.finding_page import finding_page
from trainhealth.tui.kept import Kept
from trainhealth.tui.lines import Line
from trainhealth.tui.look import Look
from trainhealth.tui.page import Page
from trainhealth.tui.snapshot import Snapshot

if TYPE_CHECKING:
    from trainhealth.tui.app import Dashboard


class FindingScreen(Page):
    """A finding in full; it follows the run."""

    BINDINGS = bindings(FINDING)

    def __init__(self, snapshot: Snapshot, finding: Finding, look: Look, copier: Copier) -> None:
        self._finding_id, self._copier = finding.id, copier
        kept = Kept()

        def page(shown: Snapshot, width: int) -> list[Line]:
            return finding_page(shown, finding.id, width, look, kept)

        super().__init__("Finding", snapshot, page)
        self.hint = "c copy the code, m mute, esc to go back"

    @property
    def _finding(self) -> Finding | None:
        return next((finding for finding in self.shown.diagnosis.findings if finding.id == self._finding_id), None)

    # --- actions, in the order of `commands.FINDING` ---

    def action_copy(self) -> None:
        """Copy the code of a remedy."""
        self._copier.copy(self.app, self._finding)

    def action_mute(self) -> None:
        """Mute this finding for this run, or show it again."""
        if self._finding is not None:
            cast("Dashboard", self.app).mute(self._finding)
