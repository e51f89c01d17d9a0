"""The best snapshot of a run: weights at the best evaluation in one file, and the patience of early stopping."""

from __future__ import annotations

import math
import os
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from trainhealth.errors import LogError, UsageError
from trainhealth.hooks.warning import warn_once

FILE = "best.pt"  # in the run's folder
_HIGHER = re.compile(r"acc|auc|f1|r2|score|precision|recall|iou|dice|bleu|rouge|reward|return")
_LOWER = re.compile(r"loss|err|nll|perplexity|ppl|mse|mae|cost")


class Best:
    """The best evaluation so far, as `watch.keep_best` returns it: the early stopping of algorithm 7.1.

    `step` and `value` are those of the snapshot; None while there is none.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        path: Path,
        signal: str,
        maximize: bool,
        *,
        smooth: int,
        patience: int | None,
        writes: bool,
    ) -> None:
        self.path = path
        self.signal = signal
        self.step: int | None = None
        self.value: float | None = None
        self._models = models
        self._maximize = maximize
        self._recent: deque[float] = deque(maxlen=smooth)
        self._patience = patience
        self._writes = writes
        self._waited = 0

    def go_on(self) -> None:
        """Take up what the file of a resumed run holds, so that a worse evaluation does not replace it."""
        if self.path.exists():
            held = self._read()
            if held.get("signal") == self.signal:
                self.step, self.value = held["step"], held["value"]

    def look(self, step: int, value: float) -> str | None:
        """Take an evaluation; return why the training may end, or None.

        Its level is the median of the last `smooth` values, so that a lucky one does not count; one that is not finite
        is worse than any.
        """
        self._recent.append(value if math.isfinite(value) else -math.inf if self._maximize else math.inf)
        level = median(self._recent)
        known = self.value if self.value is not None else -math.inf if self._maximize else math.inf
        if math.isfinite(level) and (level > known if self._maximize else level < known):
            self.step, self.value, self._waited = step, level, 0
            if self._writes:
                self._write()
            return None
        self._waited += 1
        if self._patience is None or self._waited < self._patience:
            return None
        best = "" if self.value is None else f"; it was best at step {self.step} ({self.value:.4g})"
        return f"{self.signal} has not improved for {self._waited} evaluations{best}."

    def restore(self) -> int:
        """Load the weights of the best evaluation into the model, and return its step.

        Raises:
            LogError: nothing has been kept, or the file can't be read.
        """
        held = self._read()
        for name, model in self._models.items():
            model.load_state_dict(held["models"][name])
        return int(held["step"])

    def _read(self) -> dict[str, Any]:
        try:
            held: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            hint = f"It is kept when watch.epoch({self.signal}=…) or watch.log has told a finite value."
            raise LogError(f"{self.path}: there is no best snapshot", hint) from None
        except Exception as error:
            raise LogError(
                f"{self.path}: the snapshot can't be read ({error})", "Was it written by keep_best?"
            ) from error
        return held

    def _write(self) -> None:
        """Write the snapshot beside the old one and put it in its place: a kill leaves one of the two, and whole."""
        models = {name: model.state_dict() for name, model in self._models.items()}
        beside = self.path.with_name(f"{self.path.name}.new")
        try:
            torch.save({"step": self.step, "signal": self.signal, "value": self.value, "models": models}, beside)
            os.replace(beside, self.path)
        except (OSError, RuntimeError) as error:  # of a full disk torch tells by a RuntimeError
            warn_once(f"trainhealth: the best snapshot could not be written to {self.path}: {error}")


def higher_is_better(signal: str, mode: str | None) -> bool:
    """Tell whether a high value of a signal is good: as `mode` says ("max", "min"), or by its name.

    Raises:
        UsageError: `mode` is something else, or the name does not tell.
    """
    if mode not in (None, "max", "min"):
        raise UsageError(f"mode is {mode!r}", 'Pass "max" or "min", or leave it out.')
    high, low = _HIGHER.search(signal.lower()), _LOWER.search(signal.lower())
    if mode is None and bool(high) == bool(low):
        raise UsageError(f"whether a high {signal} is good can't be told by its name", 'Pass mode="max" or mode="min".')
    return mode == "max" if mode else bool(high)


def check_unsharded(models: Mapping[str, nn.Module]) -> None:
    """Raise a UsageError for a model that no single process holds: gathering it would be a collective of ours."""
    for model in models.values():
        sharded = any("FullyShardedDataParallel" in type(module).__name__ for module in model.modules())
        if sharded or any(hasattr(parameter, "to_local") for parameter in model.parameters()):
            raise UsageError(
                "keep_best can't keep a sharded model: its weights lie on several machines",
                "Save with torch.distributed.checkpoint where watch.epoch is called.",
            )
