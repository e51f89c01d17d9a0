"""Findings that the user has muted, run by run: known already, or wrong; they stay muted in the next dashboard too."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from trainhealth.tui.memory import Memory
from trainhealth.tui.snapshot import Snapshot, without_muted

if TYPE_CHECKING:
    from trainhealth.tui.runs_row import Opened, RunRow, RunsSnapshot


class Muting:
    """Knows what is muted for every run that is shown; `root` is where it is remembered (as for `Memory`)."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self._muted: dict[str, frozenset[str]] = {}  # by the run's path

    def applied(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with what is muted for its run."""
        muted = self._of(snapshot.path)
        return snapshot if snapshot.muted == muted else dataclasses.replace(snapshot, muted=muted)

    def applied_to_runs(self, snapshot: RunsSnapshot) -> RunsSnapshot:
        """Return the snapshot of a folder with the findings left out that are muted for their runs."""
        rows = tuple(self._row(row) for row in snapshot.rows)
        opened = {path: self._opened(path, run) for path, run in snapshot.opened.items()}
        return dataclasses.replace(snapshot, rows=rows, opened=opened)

    def _opened(self, path: str, run: Opened) -> Opened:
        muted = self._of(path)
        left = without_muted(run.diagnosis.findings, muted)
        if left == run.diagnosis.findings:
            return run
        return dataclasses.replace(run, diagnosis=dataclasses.replace(run.diagnosis, findings=left))

    def _row(self, row: RunRow) -> RunRow:
        if not row.findings:
            return row
        muted = self._of(row.path)
        left = without_muted(row.findings, muted)
        return (
            row
            if left == row.findings
            else dataclasses.replace(row, findings=left, muted=len(row.findings) - len(left))
        )

    def switch(self, run: str, finding_id: str) -> bool:
        """Mute a finding of the run at the path `run`, or show it again; return whether it is muted now."""
        muted = self._of(run) ^ {finding_id}
        self._muted[run] = muted
        self._memory(run).set_muted(_name(run), set(muted))
        return finding_id in muted

    def _of(self, run: str) -> frozenset[str]:
        if run not in self._muted:
            self._muted[run] = frozenset(self._memory(run).muted(_name(run)))
        return self._muted[run]

    def _memory(self, run: str) -> Memory:
        return Memory.beside(Path(run), self._root)


def _name(run: str) -> str:
    return Path(run).name or Path(run).absolute().name
