"""End diverged and hopeless Optuna trials, with the reason: ``create_study(pruner=TrainHealthPruner())``."""

from trainhealth_optuna.pruner import TrainHealthPruner

__all__ = ["TrainHealthPruner"]
