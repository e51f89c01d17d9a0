"""A watched start: a short training of a copy, logged and diagnosed like any other run."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainhealth.checkups.subject import Subject, Trial
from trainhealth.diagnosis import load
from trainhealth.findings import Diagnosis, Finding, NotChecked
from trainhealth.rules.engine import diagnose
from trainhealth.series import RunView
from trainhealth.watching import watch

STEPS, QUICK_STEPS = 80, 20  # by default and with quick: rules that ask whether the loss falls need some
LEAST = 4  # that are made even where each takes long
EVALUATED = (2, 5)  # steps after which a validation batch is looked at


@dataclass(frozen=True, slots=True)
class Watched:
    """The log of a watched start, and what the rules say of it."""

    view: RunView
    diagnosis: Diagnosis
    trial: Trial  # as it is after the last step

    def answers(self, codes: Iterable[str]) -> tuple[tuple[Finding, ...], tuple[NotChecked, ...]]:
        """Return the findings of the rules with these codes, and which of them could not decide."""
        wanted = frozenset(codes)
        findings = tuple(finding for finding in self.diagnosis.findings if finding.code in wanted)
        silent = (item for item in self.diagnosis.not_checked if item.code in wanted)
        return findings, tuple(_for_a_checkup(item) for item in silent)


def _for_a_checkup(item: NotChecked) -> NotChecked:
    """Return the reason in the words of a checkup: who calls it has no handle to pass anything to."""
    if "watch.epoch" not in item.because:
        return item
    return dataclasses.replace(item, because="there is no validation split to compare with: pass validation=")


def watch_start(subject: Subject) -> Watched:
    """Train a copy for some steps under `watch`, with evaluations in between, and diagnose the log."""
    trial = subject.fresh()
    view = observed(subject, trial, QUICK_STEPS if subject.quick else STEPS)
    return Watched(view, diagnose(view), trial)


def observed(subject: Subject, trial: Trial, steps: int) -> RunView:
    """Train `trial` for some steps, fewer where time is short, and return the view of its log."""
    with tempfile.TemporaryDirectory(prefix="trainhealth-checkup-") as folder:
        run = Path(folder) / "start"
        with watch(trial.model, trial.optimizer, run_dir=run, overhead=1.0) as handle:
            for step, batch in enumerate(subject.batches.cycle(steps)):
                seen = trial.step(batch)
                handle.step(seen.loss, outputs=seen.prediction, targets=subject.target(batch, seen.compared))
                if subject.validation is not None and step in EVALUATED:
                    handle.log(validation_loss=_evaluated(trial, subject.validation[0]))
                if step + 1 >= LEAST and subject.time_left() < 0:
                    break
        return dataclasses.replace(load(run).view, path="")


def _evaluated(trial: Trial, batch: Any) -> float:
    """Return the loss of a batch as an evaluation computes it; the copy goes on training as it was."""
    modes = {module: module.training for module in trial.model.modules()}
    trial.model.eval()
    try:
        with torch.no_grad():
            return float(trial.loss(batch))
    finally:
        for module, training in modes.items():
            module.training = training
