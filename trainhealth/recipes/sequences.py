"""Recipes for layers that go along sequences: recurrent ones and attention."""

from __future__ import annotations

from trainhealth.findings import Reference
from trainhealth.recipes.base import Recipe
from trainhealth.recipes.lectures import TRAINING_NETWORKS

BATCH_FIRST = Recipe(
    name="batch-first",
    title="Tell layers over sequences which axis is time",
    keywords=("RNN", "LSTM", "GRU", "transposed batch", "mixes examples"),
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

PACK_THE_SEQUENCES = Recipe(
    name="pack-the-sequences",
    title="Take the state after the last real step, not after the filling",
    keywords=("padding", "pack_padded_sequence", "last state", "LSTM", "RNN"),
    what=(
        "Sequences of unlike lengths are filled up to make a batch. A recurrent layer runs on through the filling, and "
        "its gates forget a little at each step: after a hundred of them the last state is the same for every input, "
        "and what is read off it can't be learnt. A packed sequence ends where its data end, and the state that the "
        "layer gives is the one after the last real step."
    ),
    when="A classifier reads the last state of an LSTM, GRU or RNN, and its outputs are alike for all inputs.",
    when_not="Filling at the front, states that are averaged over the real steps, attention with a mask.",
    changes="The lengths go into the model, or are counted there; out[:, -1] becomes the state that the layer gives.",
    cost="None: the filling is not computed.",
    snippet="""
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

filling = 0  # the token that stands for no data


class LastRealState(nn.Module):
    def __init__(self, embedding, recurrent, head):
        super().__init__()
        self.embedding, self.recurrent, self.head = embedding, recurrent, head

    def forward(self, tokens):  # [N, T], filled up at the end
        lengths = (tokens != filling).sum(dim=1).clamp(min=1).cpu()
        signal = self.embedding(tokens)
        packed = pack_padded_sequence(signal, lengths, batch_first=True, enforce_sorted=False)
        state = self.recurrent(packed)[1]
        state = state[0] if isinstance(state, tuple) else state  # an LSTM's is a pair
        return self.head(state[-1])


model = LastRealState(model.embedding, model.recurrent, model.head)
""",
    verify="Outputs differ between examples from the first step on, and train_loss falls below that of guessing.",
    practice=(
        "Out of a bidirectional layer, state[-2] and state[-1] are the two directions of the last layer. Sorting a "
        "batch by length (bucketing) saves the same work, but not the last state."
    ),
    sources=(
        Reference(TRAINING_NETWORKS, "If you can't overfit a tiny piece of data, things are definitely broken"),
        Reference(
            "PyTorch: torch.nn.utils.rnn.pack_padded_sequence",
            "Packs a Tensor containing padded sequences of variable length",
            "https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.pack_padded_sequence.html",
        ),
    ),
)
