"""Recipes for layers that go along sequences: recurrent ones and attention."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import TRAINING_NETWORKS

BATCH_FIRST = Recipe(
    name="batch-first",
    title="Tell layers over sequences which axis is time",
    what=(
        "LSTM, GRU, RNN, MultiheadAttention and TransformerEncoderLayer go along axis 0, unless they are made with "
        "batch_first=True. Of a batch [N, T, units], as a DataLoader gives it, they then read the N examples as steps "
        "of one sequence. Every shape fits, and no error is raised; but what the model says of an example depends on "
        "its neighbours in the batch, and its own steps never meet."
    ),
    when="A model over sequences that learns little, or does worse in evaluation, where the batches are others.",
    when_not="Batches that are [T, N, units] when they enter the layer. Packed sequences know their axes.",
    changes="One argument where each such layer is made; the last step of its output is then out[:, -1].",
    cost="None.",
    snippet="""
import torch
from torch import nn

for module in model.modules():
    if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
        module.batch_first = True  # better: pass it where the layer is made

model.eval()
with torch.no_grad():  # an example says the same alone as among others
    influence = (model(inputs[:1]) - model(inputs[:8])[:1]).abs().max()
model.train()
""",
    verify="influence is 0 but for rounding (below 1e-5), and train_loss falls further than before.",
    practice=(
        "Comparing one example alone and in a batch finds any layer that mixes examples, in a minute, and needs no "
        "training. Reading out[-1] instead of out[:, -1] is the same confusion at the other end."
    ),
    sources=(
        Reference(TRAINING_NETWORKS, "If you can't overfit a tiny piece of data, things are definitely broken"),
        Reference(
            "PyTorch: torch.nn.LSTM",
            "With batch_first, tensors are (batch, seq, feature); the default is (seq, batch, feature)",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html",
        ),
    ),
)
