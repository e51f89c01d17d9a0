"""Carries out the alerts of a dashboard."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from textual.app import App

from trainhealth.tui.alerts import BELL, NOTIFY, Watch, desktop_notification, run_command, told, variables
from trainhealth.tui.snapshot import Snapshot


class Alerting:
    """Tells of new critical findings in every way that the user has asked for."""

    def __init__(self, app: App[None], kinds: tuple[str, ...]) -> None:
        self._app, self._kinds = app, kinds
        self._path, self._watch = "", Watch()

    def look_at(self, snapshot: Snapshot) -> None:
        """Raise the alerts that are due."""
        if snapshot.path != self._path:  # another run has been opened
            self._path, self._watch = snapshot.path, Watch()
        findings = self._watch.new(snapshot) if self._kinds else []
        if not findings:
            return
        run = Path(snapshot.path).name
        for kind in self._kinds:
            if kind == BELL:
                self._app.bell()
            elif kind == NOTIFY:
                self._write(desktop_notification(told(findings, run), os.environ))
            else:
                run_command(kind, variables(findings, run, snapshot.path), self._say)

    def _write(self, sequence: str) -> None:
        driver = self._app._driver  # as Textual's own `bell` and `copy_to_clipboard` do: there is no public way
        if driver is not None and not self._app.is_headless:
            driver.write(sequence)

    def _say(self, text: str) -> None:
        """Show a message; called from another thread, also when the dashboard has just ended."""
        with suppress(RuntimeError):  # the event loop is closed
            self._app.call_later(partial(self._app.notify, text, severity="warning", timeout=8, markup=False))
