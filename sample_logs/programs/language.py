"""A small transformer that learns to write, with and without its causal mask."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from sklearn.datasets import load_digits, load_wine
from torch import Tensor, nn

import trainhealth
from programs import DISK, Pair

WINDOW, WIDTH, STEPS = 24, 48, 360


def windows() -> tuple[Tensor, int]:
    """Return windows [N, T + 1] of the characters of two of scikit-learn's descriptions, and how many there are."""
    text = load_digits().DESCR + load_wine().DESCR
    letters = sorted(set(text))
    codes = torch.tensor([letters.index(letter) for letter in text])
    every = codes.unfold(0, WINDOW + 1, 3)
    return every[torch.randperm(len(every))], len(letters)


class Writer(nn.Module):
    """One block of attention over embedded characters."""

    def __init__(self, letters: int, *, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.embed = nn.Embedding(letters, WIDTH)
        self.positions = nn.Parameter(0.1 * torch.randn(WINDOW, WIDTH))
        self.block = nn.TransformerEncoderLayer(WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(WIDTH, letters)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits [N, T, letters] of the next characters."""
        mask = nn.Transformer.generate_square_subsequent_mask(WINDOW) if self.masked else None
        logits: Tensor = self.head(self.block(self.embed(tokens) + self.positions, src_mask=mask))
        return logits


def train(run_dir: Path, *, masked: bool) -> None:
    """Train for a few hundred steps, with an evaluation after every fortieth."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    every, letters = windows()
    cut = len(every) * 9 // 10
    model = Writer(letters, masked=masked)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [STEPS * 3 // 4, STEPS * 7 // 8])
    with trainhealth.watch(model, optimizer, run_dir=run_dir, disk=DISK, total_steps=STEPS) as watch:
        for step in range(STEPS):
            batch = every[torch.randint(0, cut, (64,))]
            logits = model(batch[:, :-1])
            loss = F.cross_entropy(logits.transpose(1, 2), batch[:, 1:])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            scheduler.step()
            watch.step(loss, outputs=logits, targets=batch[:, 1:])
            if step % 40 == 39:
                held = every[cut:]
                with torch.no_grad():
                    watch.log(validation_loss=float(F.cross_entropy(model(held[:, :-1]).transpose(1, 2), held[:, 1:])))


PAIRS = (
    Pair(
        "future-leak",
        "the transformer's attention has no causal mask: it sees the character that it has to predict",
        partial(train, masked=False),
        partial(train, masked=True),
    ),
)
