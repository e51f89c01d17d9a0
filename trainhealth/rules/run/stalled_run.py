"""RU01 stalled-run: the run stood still for long, between two steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, option
from trainhealth.series import FloatArray, RunView, Series


class StalledRun(Rule):
    """The run stood still for a large part of its time, between two steps.

    What it detects
        The time between two successive steps (seconds) that is far above all others.

    Why it matters
        A loader that hangs, a file system that went away, a machine that slept or was shared: the time is gone, and it
        may happen again.

    How it decides
        The longest time between two steps, after the first `skipped`, is at least `seconds`, `times` the usual one (the
        median), `others` times the second longest, and `share` of the time of the run without it. A warning where it
        is longer than the whole rest; else a note. Where the run was resumed, nobody trained in between: that is no
        stall. By as much as times go back anywhere in the log, the longest counts as shorter: the clock that was set
        back may also have been set on.

    What to try
        Find out what the process did in that time: the system's log, the loader's workers, the disk.

    When it is wrong
        Something long that is done once and on purpose (a large evaluation, saving, waiting for a person) looks the
        same: it is told with its step and time. What comes back regularly, such as an evaluation each epoch, is not a
        stall: the second longest is then as long. The first steps compile and start workers: they do not count. A run
        that stands still now shows in the dashboard; the log ends before it.
    """

    code = "RU01"
    name = "stalled-run"
    topic = "run"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("train_loss",)
    references = (
        Reference(
            "PyTorch documentation, torch.distributed: init_process_group",
            "A collective that waits for a peer fails after its timeout only: 10 minutes for NCCL, 30 for others.",
            "https://pytorch.org/docs/stable/distributed.html#torch.distributed.init_process_group",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        skipped: int = option(10, "steps", "house choice: compiling, starting workers")
        seconds: float = option(60.0, "seconds", "house choice: a minute is noticed")
        times: float = option(50.0, "usual step times", "house choice")
        others: float = option(5.0, "second longest step times", "house choice: what is regular comes twice")
        share: float = option(0.1, "share of the rest of the run's time", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if one time between steps is out of all proportion."""
        times = run.times.finite()
        if len(times) < 2 * options.skipped:
            return NotChecked(f"it takes the times of {2 * options.skipped} steps")
        gaps = _gaps(run, times)
        set_back = -float(gaps[gaps < 0].sum())  # by a clock that jumps: as much of a gap may be such a jump, too
        gaps = gaps.clip(min=0.0)
        rest = float(gaps.sum())
        gaps[: options.skipped] = 0.0
        at = int(np.argmax(gaps))
        rest -= float(gaps[at])
        longest = float(gaps[at]) - set_back
        if not longest >= max(options.seconds, options.share * rest):
            return []  # mostly so, and what is left to ask takes longer
        usual, second = float(np.median(np.diff(times.values))), float(np.partition(gaps, -2)[-2])
        if not longest >= max(options.times * usual, options.others * second):
            return []
        first, last = int(times.steps[at]), int(times.steps[at + 1])
        return [
            self.finding(
                f"Between step {first} and step {last} the run stood still for {duration(longest)}; a step usually"
                f" takes {duration(usual)}, and all others together took {duration(rest)}.",
                [Evidence("train_loss", None, first, last, longest, f"seconds; usually {usual:.3g}")],
                [
                    Recommendation(
                        f"Look for what the process did after step {first}: its output, the system's log, the disk.",
                        "Nothing was logged in that time: the process hung, or did something that is not training.",
                        "No step takes more than a few times as long as the others.",
                    ),
                    Recommendation(
                        "Give the loader a timeout: DataLoader(..., timeout=120).",
                        "A worker that hangs then raises an error that names it.",
                        "The run ends with an error instead of standing still.",
                        "A slow first batch may need more time.",
                        "data-loader-workers",
                    ),
                ],
                severity=Severity.WARNING if longest > rest else Severity.NOTE,
            )
        ]


def duration(seconds: float) -> str:
    """Return a time as people say it: 0.02 s, 45 s, 12 min, 3.5 h.

    >>> duration(0.0212), duration(45.0), duration(720.0), duration(12600.0)
    ('0.021 s', '45 s', '12 min', '3.5 h')
    """
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"


def _gaps(run: RunView, times: Series) -> FloatArray:
    """Return the seconds between successive steps; 0 where the run was resumed: nobody trained in between."""
    gaps = np.diff(times.values)
    resumed = np.searchsorted(times.steps, np.array(run.resumed, np.int64)) - 1
    gaps[resumed[(resumed >= 0) & (resumed < len(gaps))]] = 0.0
    return gaps
