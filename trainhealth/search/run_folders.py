"""A folder of runs -> rows: what each run was given, and the best that it reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainhealth import curves
from trainhealth.errors import LogError
from trainhealth.following import Follower
from trainhealth.runs import runs_of
from trainhealth.series import RunView

SCORES = {"validation_accuracy": True, "validation_loss": False, "train_loss": False}  # name -> higher is better
_SHARED = ("lr", "momentum", "weight_decay", "betas", "eps", "nesterov", "amsgrad")  # settings of optimizers


def rows_of(folder: Path, score: str | None) -> tuple[list[dict[str, object]], str]:
    """Return a row a run below `folder`, and the signal that they are scored by: that which most runs have.

    Raises:
        LogError: there is no run with a score.
    """
    views = [_view(Path(path)) for path in runs_of(str(folder))]
    counts = {name: sum(len(view.series(name)) > 0 for view in views) for name in SCORES}
    chosen = score or max(SCORES, key=lambda name: counts[name])
    if not any(len(view.series(chosen)) for view in views):
        raise LogError(f"{folder}: no run has {chosen}", "Pass it to watch.epoch, or name another: --score SIGNAL.")
    return [_row(view, folder, chosen) for view in views], chosen


def _view(path: Path) -> RunView:
    follower = Follower(path)
    follower.poll()
    follower.settle()
    return follower.view()


def _row(view: RunView, folder: Path, score: str) -> dict[str, object]:
    row: dict[str, object] = {"run": _within(view.path, folder), "params_model": view.info.model or None}
    for optimizer in view.info.optimizers:
        prefix = f"params_{optimizer.name}." if optimizer.name else "params_"
        row[f"{prefix}optimizer"] = optimizer.type
        groups: Sequence[dict[str, object]] = optimizer.groups[:1]
        row |= {f"{prefix}{name}": _plain(group[name]) for group in groups for name in _SHARED if name in group}
    row |= {f"params_{name}": _plain(value) for name, value in view.info.hyperparameters.items()}
    row[score] = _reached(view, score)
    if view.watched and not view.ended and view.error is None:
        row["state"] = "running"
    return row


def _within(path: str, folder: Path) -> str:
    target = Path(path)
    return str(target.relative_to(folder)) if target.is_relative_to(folder) else path


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _reached(view: RunView, score: str) -> float:
    """Return the best level of a signal, medians of three neighbours so that a lucky evaluation does not count.

    A run whose training loss is not finite in the end has failed, whatever it had reached before.
    """
    series, loss = curves.clean(view.series(score)), view.series("train_loss")
    if not len(series) or (len(loss) and not np.isfinite(loss.values[-1])):
        return math.nan
    levels = curves.smooth(series.values)
    higher = SCORES.get(score, "loss" not in score and "error" not in score)
    return float(levels.max() if higher else levels.min())
