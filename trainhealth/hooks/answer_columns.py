"""Tells whether a feature of the input is the target itself, as where a table was not parted from its last column."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainhealth.hooks.tensors import existing

LEAST = 16  # examples
KINDS = 8  # different values of the targets: a few labels agree with a good feature by chance
LARGEST = 1 << 20  # elements of the input that are looked at
UNEXPLAINED = 1e-8  # 1 - r^2: what the rounding of a scaled column leaves, and noise does not


def column_of_answers(given: Tensor, targets: Tensor) -> dict[str, Any]:
    """Return "answers_column", the feature of `given` [N, F] that equals targets [N] or [N, 1] up to scale and shift.

    {} where there is none, and where there is one feature only: a line through the origin is a task, too.
    """
    table = given.dim() == 2 and given.is_floating_point() and targets.is_floating_point()
    if not table or not (existing(given) and existing(targets)) or given.device != targets.device:
        return {}
    rows, features = given.shape
    if rows < LEAST or features < 2 or targets.numel() != rows or given.numel() > LARGEST:
        return {}
    columns, wanted = given.cpu().double(), targets.reshape(rows).cpu().double()  # some accelerators have no float64
    if len(torch.unique(wanted)) < KINDS:
        return {}
    columns, wanted = columns - columns.mean(0), wanted - wanted.mean()
    shared = (columns * wanted[:, None]).sum(0) ** 2 / ((columns**2).sum(0) * (wanted**2).sum())
    best = int(torch.nan_to_num(shared).argmax())
    return {"answers_column": best} if float(shared[best]) > 1 - UNEXPLAINED else {}
