"""What a run's optimizers are and how they are set, as `run.json` holds it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from trainhealth.series import RunView

_ADAPTIVE = re.compile("adam|rmsprop|adagrad|adadelta|lion|adafactor", re.IGNORECASE)


def is_adaptive(kind: str) -> bool:
    """Tell whether an optimizer of this class divides a gradient by its own size.

    >>> is_adaptive("AdamW"), is_adaptive("SGD")
    (True, False)
    """
    return _ADAPTIVE.search(kind) is not None


def all_adaptive(run: RunView) -> bool:
    """Tell whether every optimizer is known to be adaptive."""
    kinds = [optimizer.type for optimizer in run.info.optimizers]
    return bool(kinds) and all(map(is_adaptive, kinds))


def largest(run: RunView, setting: str) -> float:
    """Return the largest value of a setting ("lr", "weight_decay") over all parameter groups; 0 where none has it."""
    groups = (group for optimizer in run.info.optimizers for group in optimizer.groups)
    return max((setting_of(group, setting) for group in groups), default=0.0)


def setting_of(group: Mapping[str, Any], name: str) -> float:
    """Return a number among a parameter group's settings; 0 where it is absent or no finite number."""
    value = group.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else 0.0  # type: ignore[arg-type]  # checked in the line above
