"""The snippets of `recipes/sequences.py` run on a real model, and do what `verify` promises."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.recipes.script import Names, apply, digits_script, paste, train


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


class Words(nn.Module):
    """Reads the state after the last of all steps, filling or not."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.recurrent = nn.Embedding(11, 8), nn.LSTM(8, 16, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the scores [N, 10] of tokens [N, T]."""
        scores: Tensor = self.head(self.recurrent(self.embedding(tokens))[0][:, -1])
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


def test_pack_the_sequences() -> None:
    """Behind 150 steps of filling the last state tells nothing of the first token; afterwards it is learnt."""

    def words() -> Names:
        torch.manual_seed(0)
        script = digits_script(Words())
        tokens = torch.zeros(64, 153, dtype=torch.long)
        tokens[:, :3] = torch.randint(1, 11, (64, 3))
        script |= {"inputs": tokens, "targets": tokens[:, 0] - 1}
        script |= {"validation_inputs": tokens, "validation_targets": tokens[:, 0] - 1}
        return script | {"optimizer": torch.optim.Adam(script["model"].parameters(), lr=0.02)}

    def apart(script: Names) -> float:
        return float(script["model"](script["inputs"]).detach().std(dim=0).max())

    before = words()
    assert apart(before) < 1e-4
    filled = train(before, 40)[-1]
    script = words()
    paste("pack-the-sequences", script)
    assert apart(script) > 1e-3
    assert train(script, 40)[-1] < 0.5 * filled
