"""What the first forward tells of layers over sequences, and whether the answers stand in its input."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import trainhealth

TOKENS, LENGTH = 23, 6


def facts(tmp_path, model, loss_of, steps=2):
    """Train for a few steps with `loss_of() -> (loss, outputs, targets)`, and return what the log knows."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for _ in range(steps):
            loss, outputs, targets = loss_of()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, outputs=outputs, targets=targets)
    return trainhealth.load(tmp_path / "run").view.facts


class Net(nn.Module):
    """Scores for each place of a sequence."""

    def __init__(self, body: nn.Module, enter: nn.Module, units: int = 8, outputs: int = TOKENS) -> None:
        super().__init__()
        self.enter, self.body, self.head = enter, body, nn.Linear(units, outputs)

    def forward(self, sequences, **options):
        states = self.body(self.enter(sequences), **options)
        return self.head(states[0] if isinstance(states, tuple) else states)


def tagger(body, units=8):
    return Net(body, nn.Embedding(TOKENS, 8), units)


def forecaster(body, units=8):
    return Net(body, nn.Linear(2, 8), units, 2)


def trained(model, given, wanted, **options):
    """Return what a step trains on: classes where the targets are whole numbers, else a squared error."""

    def loss_of():
        outputs = model(given, **options)
        classes = not wanted.is_floating_point()
        loss = F.cross_entropy(outputs.movedim(-1, 1), wanted) if classes else F.mse_loss(outputs, wanted)
        return loss, outputs, wanted

    return loss_of


def test_layers_with_what_enters_them(tmp_path):
    """Kind, batch_first, shape, and the shape that enters the model; alike ones once, others each."""
    layers = [nn.TransformerEncoderLayer(8, 2, 8) for _ in range(2)]
    model = nn.Sequential(nn.Linear(3, 8), *layers)
    known = facts(tmp_path, model, trained(model, torch.randn(5, 4, 3), torch.randn(5, 4, 8)))
    (layer,) = known["sequences"]
    assert layer == {
        "layer": "1.self_attn",
        "type": "MultiheadAttention",
        "batch_first": False,
        "shape": [5, 4, 8],
        "input": [5, 4, 3],
        "sees_ahead": True,
    }
    assert known["input_shape"] == [5, 4, 3]


@pytest.mark.parametrize(
    ("body", "units", "options", "ahead"),
    [
        (nn.GRU(8, 8, batch_first=True), 8, {}, False),
        (nn.GRU(8, 8, batch_first=True, bidirectional=True), 16, {}, True),
        (nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 8, {}, True),
        (nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 8, {"src_mask": torch.ones(6, 6).triu(1) > 0}, False),
        (
            nn.TransformerEncoderLayer(8, 2, 8, batch_first=True),
            8,
            {"src_mask": nn.Transformer.generate_square_subsequent_mask(6), "is_causal": True},
            False,
        ),
    ],
)
def test_what_sees_later_places(tmp_path, body, units, options, ahead):
    """Both directions do, and attention without a mask; a mask is taken for one that hides them."""
    model, tokens = tagger(body, units), torch.randint(TOKENS, (5, LENGTH))
    (layer,) = facts(tmp_path, model, trained(model, tokens, tokens, **options))["sequences"]
    assert layer["sees_ahead"] is ahead


def test_attention_to_something_else_sees_nothing_ahead(tmp_path):
    """Its places are those of another sequence."""

    class Cross(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, queries):
            return self.attention(queries, torch.ones(5, 4, 8), torch.ones(5, 4, 8))[0]

    model = Cross()
    (layer,) = facts(tmp_path, model, trained(model, torch.randn(5, 6, 8), torch.randn(5, 6, 8)))["sequences"]
    assert layer["sees_ahead"] is False


def test_packed_sequences_are_passed_over(tmp_path):
    """They know their axes themselves."""

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.memory = nn.GRU(3, 8)

        def forward(self, sequences):
            packed = pack_padded_sequence(sequences, [6, 5, 4, 3, 2], batch_first=True)
            return self.memory(packed)[1][0]

    model = Packed()
    known = facts(tmp_path, model, trained(model, torch.randn(5, 6, 3), torch.randn(5, 8)))
    assert "sequences" not in known
    assert known["input_shape"] == [5, 6, 3]


@pytest.mark.parametrize(("axis", "batch_first"), [(1, True), (0, False)])
def test_targets_that_are_the_next_inputs(tmp_path, axis, batch_first):
    """Numbers as well as tokens, along the axis on which they follow each other."""
    row = torch.randn(LENGTH + 1, 5, 2) if axis == 0 else torch.randn(5, LENGTH + 1, 2)
    given, wanted = row.narrow(axis, 0, LENGTH), row.narrow(axis, 1, LENGTH)
    model = forecaster(nn.GRU(8, 8, batch_first=batch_first))
    known = facts(tmp_path, model, trained(model, given, wanted))
    assert (known["answers"], known["answers_axis"]) == ("next", axis)


def test_targets_that_are_the_inputs(tmp_path):
    """Token by token; a filling that the loss ignores does not matter."""
    tokens = torch.randint(TOKENS, (5, LENGTH))
    model = tagger(nn.GRU(8, 8, batch_first=True))
    filled = tokens.clone()
    filled[:, -2:] = -100
    assert facts(tmp_path / "a", model, trained(model, tokens, tokens))["answers"] == "same"
    assert facts(tmp_path / "b", model, trained(model, tokens, filled))["answers"] == "same"


def _masked(tokens):
    given = tokens.clone()
    given[:, 2] = 0
    return given, torch.where(torch.arange(LENGTH) == 2, tokens, -100)


@pytest.mark.parametrize(
    "pair",
    [
        _masked,
        lambda tokens: (tokens, tokens.roll(1, 0)),
        lambda tokens: (tokens, tokens.flip(1)),
        lambda tokens: (torch.ones_like(tokens), torch.ones_like(tokens).index_fill(1, torch.tensor([5]), 2)),
    ],
    ids=["masked places", "other sentences", "backwards", "a constant, of which the next is no other"],
)
def test_other_targets_are_no_answers(tmp_path, pair):
    """What is masked, moved elsewhere, or all the same."""
    tokens = torch.randint(1, TOKENS, (5, LENGTH))
    model = tagger(nn.GRU(8, 8, batch_first=True))
    assert "answers" not in facts(tmp_path, model, trained(model, *pair(tokens)))


def test_a_loss_that_shifts_the_targets_by_itself(tmp_path):
    """As models do that are given labels: the targets that the script names are not what is learnt."""
    tokens = torch.randint(TOKENS, (5, LENGTH))
    model = tagger(nn.GRU(8, 8, batch_first=True))

    def loss_of():
        outputs = model(tokens)
        loss = F.cross_entropy(outputs[:, :-1].reshape(-1, TOKENS), tokens[:, 1:].reshape(-1))
        return loss, outputs, tokens

    assert "answers" not in facts(tmp_path, model, loss_of)


def test_a_decoder_that_embeds_its_own_inputs(tmp_path):
    """An autoencoder: what the decoder gets is embedded a second time, shifted by one."""

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.encode = nn.Embedding(TOKENS, 8), nn.GRU(8, 8, batch_first=True)
            self.decode, self.head = nn.GRU(8, 8, batch_first=True), nn.Linear(8, TOKENS)

        def forward(self, tokens):
            state = self.encode(self.embed(tokens))[1]
            return self.head(self.decode(self.embed(F.pad(tokens[:, :-1], (1, 0))), state)[0])

    tokens = torch.randint(TOKENS, (5, LENGTH))
    model = Autoencoder()
    assert "answers" not in facts(tmp_path, model, trained(model, tokens, tokens))
