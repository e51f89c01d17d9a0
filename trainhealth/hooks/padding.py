"""Whether class indices are padded: sequences of unlike lengths that one and the same class fills up."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SEQUENCES = 4  # at least, to tell lengths from chance
LENGTHS = 3  # unlike ones at least: an end mark stands once in each sequence
OTHERS = 4  # classes beside the filling at least: of two, the one may rightly follow the other


def padding_of(targets: Tensor) -> dict[str, Any]:
    """Return "padding_index" and "padding_share" of class indices [sequences, time]; nothing where there is none.

    Padding stands at the end (or at the beginning) of sequences, at nothing but there, and in unlike lengths.
    """
    if targets.is_floating_point() or targets.dim() != 2 or min(targets.shape) < SEQUENCES:
        return {}
    for sequences in (targets.flip(1), targets):
        index = int(sequences[:, 0].mode().values)
        filled = sequences == index
        lengths = filled.cumprod(1).sum(1)
        at_the_end = torch.equal(lengths, filled.sum(1)) and 2 * torch.count_nonzero(lengths) >= len(lengths)
        various = len(torch.unique(lengths)) >= LENGTHS and len(torch.unique(sequences[~filled])) >= OTHERS
        if index >= 0 and at_the_end and various:
            return {"padding_index": index, "padding_share": float(filled.float().mean())}
    return {}
