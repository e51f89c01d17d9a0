"""RU02 slow-data-loading: the model waits for its data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from trainhealth.findings import Change, Confidence, Evidence, Finding, NotChecked, Recommendation, Reference, Severity
from trainhealth.rules.base import Rule, number, option
from trainhealth.series import RunView


class SlowDataLoading(Rule):
    """Training waits for data for much of its time.

    What it detects
        data_share: the share of the time since the sample before that passed between the end of a step and the next
        forward.

    Why it matters
        While the model waits, the accelerator does nothing. Nothing is learnt worse, but all of it later.

    How it decides
        The median of data_share over the sampled steps after the first `skipped` is at least `share`, and the time that
        was lost by it so far (the share times the usual time of a step times their number) is at least `seconds`. A
        warning from `most` on: training would be three times as fast; else a note. At least `least` samples.

    What to try
        Worker processes that load while the model trains; then a look at what takes the time: reading, decoding,
        augmenting.

    When it is wrong
        Whatever the script does between a step and the next forward counts: an evaluation whose model is not watched,
        drawing, saving. The median over samples passes by what happens seldom. A tiny model on a fast machine waits for
        half of every millisecond: as long as that is less than `seconds`, it is silent. The first steps start workers
        and caches: they do not count.
    """

    code = "RU02"
    name = "slow-data-loading"
    topic = "run"
    severity = Severity.WARNING
    confidence = Confidence.LIKELY
    since = "0.1"
    requires = ("data_share",)
    references = (
        Reference(
            "PyTorch documentation, torch.utils.data: single- and multi-process loading",
            "With num_workers=0 loading blocks computing; workers load in parallel.",
            "https://pytorch.org/docs/stable/data.html",
        ),
    )

    @dataclass(frozen=True, slots=True)
    class Options:
        """Thresholds."""

        share: float = option(0.5, "share of the time", "peers: half")
        most: float = option(0.67, "share of the time", "house choice: three times as fast without it")
        seconds: float = option(30.0, "seconds", "house choice: less is not worth anybody's while")
        skipped: int = option(10, "steps", "house choice: workers start, caches fill")
        least: int = option(8, "sampled steps", "house choice")

    def check(self, run: RunView, options: Options) -> Iterable[Finding] | NotChecked:
        """Return a finding if loading takes a large share of a time that matters."""
        shares = run.series("data_share").finite()
        late = shares.between(options.skipped, max(run.last_step, options.skipped))
        if len(late) < options.least or len(run.times) < 2:
            return NotChecked(f"it takes {options.least} sampled steps after step {options.skipped}")
        share = float(np.median(late.values))
        usual = float(np.median(np.diff(run.times.values)))  # what happens seldom takes time, but not this time
        lost = share * usual * len(run.times)
        if not (share >= options.share and lost >= options.seconds):
            return []
        faster = 1 / max(1 - share, 0.01)
        workers = run.info.hyperparameters.get("num_workers")
        return [
            self.finding(
                f"{share:.0%} of the time passes between the end of a step and the next forward, mostly in loading"
                f" data: {number(math.floor(lost))} seconds so far.",
                [Evidence("data_share", None, int(late.steps[0]), late.last_step, share, f"below {options.share:.0%}")],
                [
                    Recommendation(
                        "Load with workers: DataLoader(..., num_workers=4, pin_memory=True, persistent_workers=True).",
                        "Workers prepare the next batches while the model trains.",
                        f"data_share falls below 0.1, and training is up to {faster:.1f} times as fast.",
                        "Each worker holds a copy of the data set object; decoded images in memory may be too many.",
                        "data-loader-workers",
                        Change("num_workers", workers if isinstance(workers, int) else None, 4),
                    )
                ],
                severity=Severity.WARNING if share >= options.most else Severity.NOTE,
            )
        ]
