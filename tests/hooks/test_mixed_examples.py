"""What the first forward tells of reshapes around recurrent layers that cut across the examples."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth

EXAMPLES, STEPS, UNITS = 5, 4, 3


class Classifier(nn.Module):
    """Two classes for each sequence; `enter` and `leave` bring the tensors into the shape that the next layer wants."""

    def __init__(self, body, width, enter, leave, first=None):
        super().__init__()
        self.first, self.body, self.head = first or nn.Identity(), body, nn.Linear(width, 2)
        self.enter, self.leave = enter, leave

    def forward(self, sequences):
        outputs, states = self.body(self.enter(self.first(sequences)))
        return self.head(self.leave(outputs, states[0] if isinstance(states, tuple) else states))


def mixed(tmp_path, model):
    """Train for two steps on [N, T, units] and return what was found."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for _ in range(2):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(torch.randn(EXAMPLES, STEPS, UNITS)), torch.zeros(EXAMPLES, dtype=torch.long))
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return trainhealth.load(tmp_path / "run").view.facts.get("mixed_examples")


def as_it_is(tensor):
    return tensor


def time_first(tensor):
    return tensor.transpose(0, 1)


def rows(tensor):
    return tensor.reshape(EXAMPLES, -1)


def last(outputs, states):
    return outputs[-1]


BOTH = {"batch_first": True, "bidirectional": True}


@pytest.mark.parametrize(
    ("body", "width", "enter", "leave", "given", "shape"),
    [
        (nn.LSTM(UNITS, 6, **BOTH), 12, as_it_is, lambda _, h: rows(h), [2, EXAMPLES, 6], [EXAMPLES, 12]),
        (nn.GRU(UNITS, 6, **BOTH), 12, as_it_is, lambda _, h: h.view(-1, 12), [2, EXAMPLES, 6], [EXAMPLES, 12]),
        (nn.GRU(UNITS, 6, 2), 12, time_first, lambda _, h: rows(h), [2, EXAMPLES, 6], [EXAMPLES, 12]),
        (nn.RNN(UNITS, 6), 24, time_first, lambda o, _: rows(o), [STEPS, EXAMPLES, 6], [EXAMPLES, 24]),
        (nn.LSTM(UNITS, 6), 24, time_first, lambda o, _: rows(o.contiguous()), [STEPS, EXAMPLES, 6], [EXAMPLES, 24]),
    ],
)
def test_states_and_outputs_that_are_cut_into_rows(tmp_path, body, width, enter, leave, given, shape):
    """Of both directions, of two layers, of all steps: the layer behind gets parts of several examples."""
    assert mixed(tmp_path, Classifier(body, width, enter, leave)) == [
        {
            "layer": "head",
            "source": "body",
            "given": given,
            "shape": shape,
            "examples": EXAMPLES,
            "examples_axis": 1,
        }
    ]


@pytest.mark.parametrize(("first", "source", "units"), [(None, "", UNITS), (nn.Linear(UNITS, 6), "first", 6)])
def test_inputs_that_are_cut_into_steps(tmp_path, first, source, units):
    """As they enter the model, or behind its first layer."""
    model = Classifier(nn.GRU(units, 6), 6, lambda x: x.reshape(STEPS, EXAMPLES, units), last, first)
    (found,) = mixed(tmp_path, model)
    assert (found["layer"], found["source"], found["examples_axis"]) == ("body", source, 0)
    assert (found["given"], found["shape"]) == ([EXAMPLES, STEPS, units], [STEPS, EXAMPLES, units])


@pytest.mark.parametrize(
    ("body", "width", "enter", "leave"),
    [
        (nn.LSTM(UNITS, 6, **BOTH), 12, as_it_is, lambda _, h: torch.cat([h[0], h[1]], 1)),
        (nn.GRU(UNITS, 6, **BOTH), 12, as_it_is, lambda _, h: rows(h.transpose(0, 1))),
        (nn.GRU(UNITS, 6, batch_first=True), 6, as_it_is, lambda _, h: rows(h)),  # one layer, one direction
        (nn.LSTM(UNITS, 6, batch_first=True), 24, as_it_is, lambda o, _: rows(o)),
        (nn.LSTM(UNITS, 6), 24, time_first, lambda o, _: rows(o.permute(1, 0, 2))),
        (nn.GRU(UNITS, 6), 6, lambda x: time_first(x).contiguous(), last),
        (nn.GRU(UNITS, 6, 2), 6, time_first, lambda _, h: h.view(2, 1, EXAMPLES, 6)[-1, 0]),
    ],
)
def test_silent_on_what_keeps_the_examples_apart(tmp_path, body, width, enter, leave):
    """Transpositions, choices, and reshapes that merge only axes of one example."""
    assert mixed(tmp_path, Classifier(body, width, enter, leave)) is None


def test_silent_where_every_step_is_a_row(tmp_path):
    """[T, N, units] as [T x N, units] cuts nothing: a row is one step of one example."""

    class Tagger(Classifier):
        def forward(self, sequences):
            outputs = self.body(self.enter(sequences))[0]
            return self.head(outputs.reshape(-1, 6))[-EXAMPLES:]

    assert mixed(tmp_path, Tagger(nn.GRU(UNITS, 6), 6, time_first, None)) is None
