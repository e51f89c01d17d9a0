"""Names under which a LightningModule logs its metrics -> signals of trainhealth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SPLITS = {"val": "validation", "valid": "validation", "validation": "validation", "train": "train"}
_QUANTITIES = {"loss": "loss", "acc": "accuracy", "accuracy": "accuracy"}


def signals(metrics: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Return the metrics whose names say that they are of `split` ("validation", "train").

    "val_loss", "val/acc", "accuracy_valid" and their like get the signals' names; any other keeps its own.
    """
    found = {}
    for name, value in metrics.items():
        words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
        rest = [word for word in words if _SPLITS.get(word) != split and word != "epoch"]
        if any(_SPLITS.get(word) == split for word in words):
            known = _QUANTITIES.get(rest[0]) if len(rest) == 1 else None
            found[f"{split}_{known}" if known else name] = value
    return found
