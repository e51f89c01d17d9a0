"""The pruner: ends a trial whose diagnosis is bad enough, or that another pruner finds hopeless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial
from torch import nn
from torch.optim import Optimizer

import trainhealth

RUN = "trainhealth_run"  # attribute of a trial: the folder of its log
REASON = "pruned_because"  # attribute of a trial: why this pruner has ended it
_LEVELS = ("critical", "warning", "note")

_logger = optuna.logging.get_logger("optuna.trainhealth")


class TrainHealthPruner(BasePruner):
    """Prunes a trial that is sick, and otherwise asks another pruner.

    A trial is sick when the diagnosis of its run has a finding at or above `stop_on`: a loss that has diverged, say.
    Why it was pruned is in its user attributes.

    Args:
        pruner: compares trials with each other (`optuna.pruners.MedianPruner()`); none does where it is None.
        stop_on: "critical", "warning" or "note".

    Raises:
        trainhealth.UsageError: there is no such level.
    """

    def __init__(self, pruner: BasePruner | None = None, *, stop_on: str = "critical") -> None:
        if stop_on not in _LEVELS:
            raise trainhealth.UsageError(f"stop_on is {stop_on!r}", f"Pass one of {', '.join(_LEVELS)}.")
        self._pruner = pruner or NopPruner()
        self._levels = _LEVELS[: _LEVELS.index(stop_on) + 1]
        # of the trials of this process: a pruner is shown frozen copies, which take no attributes
        self._trials: WeakValueDictionary[tuple[str, int], Trial] = WeakValueDictionary()
        self._watches: WeakValueDictionary[tuple[str, int], trainhealth.Watch] = WeakValueDictionary()

    def watch(
        self,
        trial: Trial,
        model: nn.Module | Mapping[str, nn.Module],
        optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
        **options: Any,
    ) -> trainhealth.Watch:
        """Watch a trial's training: `trainhealth.watch`, with the trial's parameters and a folder for each trial.

        Call it in the objective, and go on as ever: ``watch.step``, ``trial.report``, ``trial.should_prune``.
        """
        defaults = {"run_dir": f"runs/{trial.study.study_name}/trial-{trial.number}", "hyperparameters": trial.params}
        watch = trainhealth.watch(model, optimizer, **(defaults | options))
        key = (trial.study.study_name, trial.number)
        self._trials[key], self._watches[key] = trial, watch
        trial.set_user_attr(RUN, str(watch.run_dir))
        return watch

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Tell whether to end the trial; called by ``trial.should_prune()``."""
        key = (study.study_name, trial.number)
        watch = self._watches.get(key)
        sick = next((f for f in watch.findings() if f.severity in self._levels), None) if watch is not None else None
        if sick is not None:
            reason = f"{sick.message} ({sick.name})"
        elif self._pruner.prune(study, trial):
            reason = f"{type(self._pruner).__name__}: the other trials were better at step {trial.last_step}."
        else:
            return False
        _logger.info(f"Trial {trial.number} is pruned: {reason}")
        live = self._trials.get(key)
        if live is not None:
            live.set_user_attr(REASON, reason)
        return True
