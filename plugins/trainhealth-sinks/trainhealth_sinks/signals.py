"""What a sink passes on: one value a signal, place and step, that was not passed on before."""

from __future__ import annotations

import os
from collections.abc import Iterator

import trainhealth

OWN = "trainhealth"  # above every name, so that nothing of the user's has the same


class News:
    """The values of a run that are new since the last look, in order of steps."""

    def __init__(self, run_dir: str | os.PathLike[str]) -> None:
        self.run_dir = run_dir
        self._passed: dict[str, int] = {}  # signal -> the last step that was passed on
        self._findings: set[str] = set()

    def values(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield each step with its new values by name: "trainhealth/update_ratio/0.weight" for one of a parameter.

        A NaN has no place in a chart and is left out; the findings tell of it.
        """
        run = trainhealth.load(self.run_dir)
        rows: dict[int, dict[str, float]] = {}
        frame = run.to_pandas("scalars")
        for signal in frame.columns:
            column = frame[signal]
            seen = column.index > self._passed.get(signal, -1)
            new = column[seen].dropna()
            for step, value in zip(new.index.tolist(), new.tolist(), strict=True):
                rows.setdefault(step, {})[f"{OWN}/{signal}"] = value
        for table in ("layers", "parameters", "batch"):
            for step, place, signal, value in run.to_pandas(table).itertuples(index=False):
                if step > self._passed.get(signal, -1):
                    name = f"{OWN}/{signal}" if table == "batch" else f"{OWN}/{signal}/{place}"
                    rows.setdefault(step, {})[name] = float(value)
        for step in sorted(rows):
            for name in rows[step]:
                signal = name.split("/")[1]
                self._passed[signal] = max(self._passed.get(signal, -1), step)
            yield step, rows[step]

    def findings(self) -> Iterator[trainhealth.Finding]:
        """Yield the findings that were not passed on before."""
        for finding in trainhealth.check(self.run_dir).findings:
            if finding.id not in self._findings:
                self._findings.add(finding.id)
                yield finding


def sentence(finding: trainhealth.Finding) -> str:
    """Return a finding as a line, with the first thing to do about it."""
    remedy = f" Try first: {finding.recommendations[0].action}" if finding.recommendations else ""
    return f"{finding.severity}: {finding.message}{remedy}"
