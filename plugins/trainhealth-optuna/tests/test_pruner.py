"""The pruner in real studies: it ends the sick trials, leaves the healthy ones alone, and says why."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState
from torch import nn

import trainhealth
from trainhealth_optuna import TrainHealthPruner

EPOCHS, STEPS = 4, 10


def study(tmp_path: Path, pruner: TrainHealthPruner, rates: list[float]) -> list[FrozenTrial]:
    """Train a small regression once with each rate, and return the trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    inputs = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("rate", 1e-6, 1e6, log=True)
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        with pruner.watch(trial, model, optimizer, run_dir=tmp_path / f"trial-{trial.number}") as watch:
            for epoch in range(EPOCHS):
                for _ in range(STEPS):
                    loss = nn.functional.mse_loss(model(inputs), inputs.sum(1, keepdim=True))
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    watch.step(loss)
                value = min(loss.item(), 1e30) if loss.isfinite() else 1e30
                trial.report(value, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned
        return value

    made = optuna.create_study(pruner=pruner, study_name="rates")
    for rate in rates:
        made.enqueue_trial({"rate": rate})
    made.optimize(objective, n_trials=len(rates))
    return made.trials


def test_a_diverged_trial_ends_after_its_first_epoch_and_says_why(tmp_path: Path) -> None:
    """No other trial is needed to compare it with."""
    healthy, diverged = study(tmp_path, TrainHealthPruner(), [0.05, 1000.0])
    assert healthy.state is TrialState.COMPLETE
    assert "pruned_because" not in healthy.user_attrs
    assert diverged.state is TrialState.PRUNED
    assert list(diverged.intermediate_values) == [0]
    assert "loss" in diverged.user_attrs["pruned_because"]


def test_each_trial_has_a_log_with_its_parameters(tmp_path: Path) -> None:
    """The trial knows where."""
    [trial] = study(tmp_path, TrainHealthPruner(), [0.05])
    run = trainhealth.load(trial.user_attrs["trainhealth_run"])
    assert run.view.info.hyperparameters == {"rate": 0.05}
    assert len(run.view.series("train_loss")) == EPOCHS * STEPS


def test_a_healthy_but_hopeless_trial_is_left_to_the_other_pruner(tmp_path: Path) -> None:
    """The reason names it."""
    pruner = TrainHealthPruner(optuna.pruners.MedianPruner(n_startup_trials=1))
    _, slow = study(tmp_path, pruner, [0.05, 1e-5])
    assert slow.state is TrialState.PRUNED
    assert slow.user_attrs["pruned_because"].startswith("MedianPruner: ")


def test_trials_that_are_not_watched_are_only_compared() -> None:
    """An objective may train something that is no network."""

    def objective(trial: optuna.Trial) -> float:
        trial.report(1.0, 0)
        assert not trial.should_prune()
        return 1.0

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(pruner=TrainHealthPruner())
    made.optimize(objective, n_trials=1)
    assert made.trials[0].state is TrialState.COMPLETE


def test_a_level_that_does_not_exist_is_told_at_once() -> None:
    """Not after the first trial."""
    with pytest.raises(trainhealth.UsageError, match="stop_on is 'never'"):
        TrainHealthPruner(stop_on="never")
