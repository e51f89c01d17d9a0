"""The snippets of `recipes/sequences.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.recipes.script import Names, apply, digits_script, train


class Rows(nn.Module):
    """Reads a digit row by row; its recurrent layer takes the digits of the batch for the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(8, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, digits: Tensor) -> Tensor:
        """Return the scores [N, 10] of digits [N, 8, 8]."""
        hidden: Tensor = self.recurrent(digits)[0]
        scores: Tensor = self.head(hidden[:, -1])
        return scores


def test_batch_first() -> None:
    """A model that reads the batch as a sequence sees the last row only; afterwards it learns all of a digit."""

    def rows() -> Names:
        torch.manual_seed(0)
        script = digits_script(Rows())
        script["inputs"] = script["inputs"].view(-1, 8, 8)
        return script | {"optimizer": torch.optim.Adam(script["model"].parameters(), lr=0.01)}

    swapped = train(rows(), 80)[-1]
    script = apply("batch-first", rows())
    assert script["influence"] < 1e-5
    assert train(script, 80)[-1] < 0.5 * swapped
