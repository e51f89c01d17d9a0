"""MO15: fires where the loss takes the time steps of a layer for examples, by shapes alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth
from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.mode.batch_and_time_swapped import BatchAndTimeSwapped
from trainhealth.testing import check_rule, make_run


def layer(*shape, batch_first=False, kind="LSTM", entering=None, name="memory"):
    return {
        "layer": name,
        "type": kind,
        "batch_first": batch_first,
        "shape": list(shape),
        "input": list(shape if entering is None else entering),
    }


def judge(read, *layers, function="cross_entropy", nodes=("Addmm", "Mean")):
    facts = {"loss_input_shape": read, "sequences": list(layers)}
    return check_rule(BatchAndTimeSwapped, run_with(function, *nodes, **facts))


@pytest.mark.parametrize(
    ("read", "told", "function"),
    [
        ([40, 3], layer(40, 12, 8), "cross_entropy"),
        ([40], layer(40, 12, 8), "binary_cross_entropy_with_logits"),
        ([40, 1], layer(40, 12, 8), "mse"),
        ([40, 10], layer(40, 65, 64, kind="MultiheadAttention", entering=[40, 3, 32, 32]), "cross_entropy"),
        ([40, 3], layer(12, 40, 8, batch_first=True, entering=[40, 12, 8]), "cross_entropy"),  # transposed inside
        ([40, 3], layer(12, 40, 8, batch_first=True), "cross_entropy"),  # or by the script
        ([4, 3], layer(4, 12, 8), "cross_entropy"),  # steps that are a multiple of the batch, seen in the input
    ],
)
def test_fires_where_the_loss_takes_the_steps_for_examples(read, told, function):
    """Recurrent layers and attention, classes and numbers, in either order of axes."""
    (found,) = judge(read, told, function=function)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.LIKELY)
    assert f"gets {told['shape']}" in found.message
    assert f"the loss takes {read[0]} examples" in found.message


def test_certain_where_one_place_is_chosen():
    """An average over several series could be meant; the last one of the neighbours can't."""
    (found,) = judge([40, 3], layer(40, 12, 8), nodes=("Addmm", "Select", "MkldnnRnnLayer"))
    assert found.confidence is Confidence.CERTAIN


def test_one_finding_for_all_layers():
    """The first is named, and the others are counted."""
    layers = [layer(40, 12, 8, name=f"l{i}") for i in range(3)]
    (found,) = judge([40, 3], *layers)
    assert "l0 (LSTM, batch_first=False)" in found.message
    assert "as 2 more do" in found.message


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ([40, 3], layer(12, 40, 8)),  # [T, N, units], as it should be
        ([40, 3], layer(40, 12, 8, batch_first=True)),
        ([480, 3], layer(12, 40, 8)),  # every step of every example
        ([12, 3, 40], layer(12, 40, 8)),  # the same, with classes on axis 1
        ([12, 40], layer(12, 40, 8)),  # a number a step
        ([12, 40, 1], layer(12, 40, 8)),
        ([7, 3], layer(7, 1, 8)),  # one sentence, and a tag for each of its words
        ([1, 3], layer(1, 12, 8)),  # a batch of one
        ([12, 3], layer(12, 12, 8)),  # nothing tells them apart
        ([32, 3], layer(32, 160, 8, entering=[32, 5, 32])),  # words of 5 sentences, 32 each, in 32 documents
        ([28, 3], layer(3, 28, 8, batch_first=True, entering=[28, 3, 28, 28])),  # along the rows of images
        ([40, 3], layer(40, 12, 8, entering=[])),
        ([], layer(40, 12, 8)),
    ],
)
def test_silent_where_axes_are_right_or_not_known(read, told):
    """Each line a program that is right, or one of which nobody can tell."""
    assert judge(read, told) == ()


def test_silent_where_layers_take_turns():
    """Attention inside of each example, and then between the examples, on purpose."""
    inside = layer(40, 12, 8, batch_first=True, kind="MultiheadAttention")
    between = layer(12, 40, 8, batch_first=True, kind="MultiheadAttention", entering=[40, 12, 8])
    assert judge([40, 3], inside, between) == ()
    assert judge([40, 3], layer(40, 12, 8, batch_first=True), layer(40, 12, 8, kind="MultiheadAttention")) != ()


def test_without_such_layers_or_a_known_loss():
    """Nothing to find in a convolutional net; a loss computed by hand is said to be unknown."""
    assert judge([40, 3]) == ()
    hand_made = make_run([2.0] * 60, facts={"sequences": [layer(40, 12, 8)], "loss_form": "tensor", "loss_graph": []})
    assert isinstance(check_rule(BatchAndTimeSwapped, hand_made), NotChecked)
    assert check_rule(BatchAndTimeSwapped, run_with("ctc", "LogSoftmax", sequences=[layer(40, 12, 8)])) == ()


# --- reshapes that cut across the examples ---


def reshape(axis=1, examples=40, **told):
    given, shape = ([2, 40, 8], [40, 16]) if axis else ([40, 96], [12, 40, 8])
    return {
        "layer": "head",
        "source": "memory" if axis else "",
        "given": given,
        "shape": shape,
        "examples": examples,
        "examples_axis": axis,
        **told,
    }


def judge_reshapes(*told, read=(40, 3)):
    facts = {"loss_input_shape": list(read), "mixed_examples": list(told)}
    return check_rule(BatchAndTimeSwapped, run_with("cross_entropy", "Addmm", **facts))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (reshape(1), "head gets [40, 16], a reshape of those of memory, [2, 40, 8]: the 40 examples are on axis 1"),
        (reshape(0), "head gets [12, 40, 8], a reshape of the model's inputs, [40, 96]: the 40 examples are on axis 0"),
    ],
)
def test_a_reshape_instead_of_a_transposition_mixes_the_examples(told, words):
    """The last states of two directions, and inputs for a layer that wants time first."""
    (found,) = judge_reshapes(told, told)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert words in found.message.replace(" (so are 1 more)", "")
    assert "transpose(0, 1)" in found.recommendations[0].action


@pytest.mark.parametrize(
    ("told", "read"),
    [(reshape(examples=12), (40, 3)), (reshape(), (12, 3)), ("?", (40, 3)), (reshape(given="?"), (40, 3))],
)
def test_silent_where_the_loss_takes_other_rows(told, read):
    """Whatever is on that axis, it is not the examples; nor is a fact of another form one."""
    assert judge_reshapes(told, read=read) == ()


class Classifier(nn.Module):
    """A class for each sequence [N, T, 3], or [T, N, 3], by a recurrent layer or a transformer."""

    def __init__(self, kind: str, batch_first: bool, time_first: bool = False, every_step: bool = False) -> None:
        super().__init__()
        self.enter = nn.Linear(3, 8)
        if kind == "recurrent":
            self.body = nn.GRU(8, 8, batch_first=batch_first, bidirectional=True)
        else:
            self.body = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
        self.head = nn.LazyLinear(4)
        self.time_first, self.every_step = time_first, every_step

    def forward(self, sequences):
        states = self.body(self.enter(sequences))
        states = states[0] if isinstance(states, tuple) else states
        if self.every_step:
            return self.head(states)
        return self.head(states[-1] if self.time_first else states[:, -1])


@pytest.mark.parametrize("kind", ["recurrent", "attention"])
@pytest.mark.parametrize(
    ("batch_first", "time_first", "every_step", "wrong"),
    [
        (False, False, False, True),
        (True, False, False, False),
        (False, True, False, False),
        (True, True, False, True),
        (False, True, True, False),
        (True, False, True, False),
    ],
)
def test_in_real_trainings(tmp_path, kind, batch_first, time_first, every_step, wrong):
    """Layers that go along the batch are named, those along time are not, for one answer as for one a step."""
    torch.manual_seed(0)
    model = Classifier(kind, batch_first, time_first, every_step)
    sequences = torch.randn(6, 5, 3) if time_first else torch.randn(5, 6, 3)
    model(sequences)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for _ in range(4):
            scores = model(sequences).reshape(-1, 4)
            targets = torch.randint(4, (len(scores),))
            loss = F.cross_entropy(scores, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, outputs=scores, targets=targets)
    assert ("MO15" in [finding.code for finding in trainhealth.check(tmp_path / "run").findings]) is wrong
