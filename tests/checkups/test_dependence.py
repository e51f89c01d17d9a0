"""What outputs depend on: their own example, the input, the past."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # its usual name
from torch import Tensor, nn

from tests.checkups.looking import codes, images, look, mlp, sentences, table


class Transposed(nn.Module):
    """A view where a transpose was meant, the classic of mixed-up axes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        mixed = x.t().contiguous().view(x.shape[0], -1)
        return self.layer(mixed)


class SoftmaxOverBatch(nn.Module):
    """Attention weights that are normalised over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.score, self.layer = nn.Linear(12, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x * self.score(x).softmax(0))


class BatchAsTime(nn.Module):
    """A recurrent layer that takes the batch for time: batch_first was forgotten."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(3, 8, batch_first=batch_first), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x.view(len(x), 4, 3))[0][:, -1])


class Attention(nn.Module):
    """A language model, with its causal mask or without."""

    def __init__(self, *, causal: bool, words: int = 20, width: int = 16) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(words, width), nn.Linear(width, words)
        self.positions = nn.Parameter(0.02 * torch.randn(12, width))
        self.block = nn.TransformerEncoderLayer(width, 2, 32, 0.1, batch_first=True)
        self.causal = causal

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = torch.full((length, length), -math.inf).triu(1) if self.causal else None
        return self.head(self.block(self.embed(tokens) + self.positions, src_mask=mask))


def language_loss(outputs: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(outputs.flatten(0, 1), target.flatten())


@pytest.mark.parametrize("make", [Transposed, SoftmaxOverBatch, lambda: BatchAsTime(batch_first=False)])
def test_examples_that_see_each_other_are_found(make: type[nn.Module]) -> None:
    """A mixed-up axis shows as outputs that change with another example."""
    assert "CU07" in codes(look(make(), table(), "dependence"))


@pytest.mark.parametrize(
    "make",
    [
        mlp,
        lambda: BatchAsTime(batch_first=True),
        lambda: nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3)),
        lambda: nn.Sequential(nn.Linear(12, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3)),
    ],
)
def test_examples_for_themselves_are_silent(make: type[nn.Module]) -> None:
    """Batch norm and dropout, which mix or draw in training mode, are no leak in evaluation mode."""
    assert codes(look(make(), table(), "dependence")) == []


def test_convolutions_are_silent() -> None:
    """Images pass pooling and group norm without meeting each other."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
    assert codes(look(model, images(), "dependence")) == []


def test_random_evaluation_is_no_leak() -> None:
    """What a model draws in evaluation mode is drawn alike before and after an exchange."""

    class Draws(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(F.dropout(x, 0.3))

    assert codes(look(Draws(), table(), "dependence")) == []


def test_similarities_within_a_batch_are_not_judged() -> None:
    """A contrastive model returns [N, N], and is meant to compare."""

    class Contrastive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 8)

        def forward(self, x: Tensor) -> Tensor:
            features = F.normalize(self.layer(x), dim=-1)
            return features @ features.t() * 5

    def loss(outputs: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(outputs, torch.arange(len(outputs)))

    report = look(Contrastive(), table(), "dependence", loss_fn=loss)
    assert codes(report) == []
    assert "CU07" in {item.code for item in report.not_checked}


def test_a_model_that_does_not_look_is_found() -> None:
    """Outputs that ignore the input are critical."""

    class Blind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answer, self.layer = nn.Parameter(torch.zeros(3)), nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.answer.expand(len(x), 3) + self.layer(torch.ones_like(x))

    report = look(Blind(), table(), "dependence")
    assert codes(report) == ["CU08"]
    assert report.findings[0].severity == "critical"


def test_a_second_input_that_is_ignored_is_a_note() -> None:
    """The first input is used, the second is not."""

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(12, 3)

        def forward(self, x: Tensor, extra: Tensor) -> Tensor:
            return self.layer(x)

    batches = [(inputs, torch.randn(len(inputs), 2), target) for inputs, target in table()]
    report = look(Half(), batches, "dependence")
    assert [(finding.code, str(finding.severity)) for finding in report.findings] == [("CU08", "note")]


def test_a_head_that_begins_at_zero_is_silent() -> None:
    """Before any training its outputs are the same for all inputs, and that is well meant."""
    model = mlp()
    nn.init.zeros_(model[2].weight)
    assert codes(look(model, table(), "dependence")) == []


def test_a_model_that_sees_the_next_word_is_found() -> None:
    """Without a mask, attention looks ahead."""
    report = look(Attention(causal=False), sentences(), "causality", loss_fn=language_loss)
    assert codes(report) == ["MO10"]
    assert report.findings[0].confidence == "certain"


def test_a_causal_model_is_silent() -> None:
    """With the mask it looks back only."""
    report = look(Attention(causal=True), sentences(), "causality", "dependence", loss_fn=language_loss)
    assert codes(report) == []
    assert "MO10" not in {item.code for item in report.not_checked}


def test_a_tagger_may_look_ahead() -> None:
    """Where the target is not the next word, both directions are right."""
    batches = [(tokens, tokens % 3) for tokens, _ in sentences()]
    assert codes(look(Attention(causal=False), batches, "causality", loss_fn=language_loss)) == []


def test_as_many_words_as_sentences_are_still_judged() -> None:
    """A square of outputs is no similarity where each is a vector of scores."""
    batches = sentences(size=12)
    report = look(Attention(causal=True), batches, "dependence", loss_fn=language_loss)
    assert "CU07" not in {item.code for item in report.not_checked}


def test_a_model_that_computes_its_loss_is_looked_at_for_the_future() -> None:
    """The next words are among its arguments."""

    class OwnLoss(Attention):
        def forward(self, tokens: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
            scores = super().forward(tokens)
            return scores, language_loss(scores, following)

    assert codes(look(OwnLoss(causal=False), sentences(), "causality", loss_fn=None)) == ["MO10"]
    assert codes(look(OwnLoss(causal=True), sentences(), "causality", loss_fn=None)) == []


def test_time_before_the_batch_is_not_taken_for_a_leak() -> None:
    """Tokens [T, N] with the next ones as target: the first axis is time, and states pass along it."""

    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.head = nn.Embedding(20, 8), nn.GRU(8, 8), nn.Linear(8, 20)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(self.rnn(self.embed(tokens))[0])

    batches = [(tokens.t().contiguous(), target.t().contiguous()) for tokens, target in sentences()]
    assert codes(look(TimeFirst(), batches, "dependence", "causality", loss_fn=language_loss)) == []
