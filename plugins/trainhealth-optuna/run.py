"""A search over learning rates, far too high ones among them: the pruner ends those trials and says why."""

import sys

import optuna
import torch
from torch import nn

from trainhealth_optuna import TrainHealthPruner

pruner = TrainHealthPruner(optuna.pruners.MedianPruner())
inputs = torch.randn(512, 10)


def objective(trial: optuna.Trial) -> float:
    """Train a small network and return its loss."""
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=trial.suggest_float("lr", 1e-4, 10.0, log=True))
    with pruner.watch(trial, model, optimizer, run_dir=f"runs/trial-{trial.number}") as watch:
        for epoch in range(5):
            for batch in inputs.split(32):
                loss = nn.functional.mse_loss(model(batch), batch.sum(1, keepdim=True))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                watch.step(loss)
            trial.report(min(loss.item(), 1e30) if loss.isfinite() else 1e30, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
    return loss.item()


study = optuna.create_study(pruner=pruner)
for rate in (0.01, 9.0, 0.03):
    study.enqueue_trial({"lr": rate})
study.optimize(objective, n_trials=3)
for trial in study.trials:
    sys.stdout.write(f"{trial.params} {trial.state.name} {trial.user_attrs.get('pruned_because', '')}\n")
