"""MO13: fires where a reshape took the place of a transposition, by the shapes alone."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import trainhealth
from tests.rules.loss_facts import run_with
from trainhealth.findings import Confidence, NotChecked, Severity
from trainhealth.rules.mode.scrambled_classes import ScrambledClasses
from trainhealth.testing import check_rule, make_run


def judge(given, axis, read, function="cross_entropy"):
    facts = {"reshaped_from": given, "reshaped_axis": axis, "loss_input_shape": read}
    return check_rule(ScrambledClasses, run_with(function, "View", "Addmm", **facts))


@pytest.mark.parametrize(
    ("given", "axis", "read", "advice"),
    [
        ([32, 10, 8], 2, [32, 8, 10], "movedim(-1, 1)"),  # a tagger
        ([320, 8], 1, [32, 8, 10], "movedim(-1, 1)"),  # the same, where the layer's own reshaping is passed over
        ([16, 5, 24, 24], 1, [9216, 5], "movedim(1, -1).reshape(-1, 5)"),  # a segmentation
        ([16, 24, 24, 5], 3, [16, 5, 24, 24], "movedim(-1, 1)"),
    ],
)
def test_fires_where_the_classes_are_cut_from_other_elements(given, axis, read, advice):
    """The loss finds as many classes as the layer has units, in another place."""
    (found,) = judge(given, axis, read)
    assert (found.severity, found.confidence) == (Severity.CRITICAL, Confidence.CERTAIN)
    assert f"gives {given}" in found.message
    assert f"reshaping makes {read}" in found.message
    assert advice in found.recommendations[0].action


@pytest.mark.parametrize(
    ("given", "axis", "read"),
    [
        ([32, 10, 8], 2, [320, 8]),  # flattened: the classes stay the last
        ([320, 8], 1, [320, 8, 1]),
        ([16, 5, 1, 1], 1, [16, 5]),
        ([32, 40], 1, [32, 8, 5]),  # 8 classes for each of 5 places, from one layer
        ([8, 12, 4, 4], 1, [384, 4]),  # anchors x classes
    ],
)
def test_silent_where_classes_stay_or_units_are_no_classes(given, axis, read):
    """Flattening, axes of 1, and layers that give several scores a class."""
    assert judge(given, axis, read) == ()


def test_silent_on_other_losses_and_unknown_shapes():
    """Only a loss over classes has an axis of classes; behind a transposition nothing is known."""
    assert judge([32, 10, 8], 2, [32, 8, 10], "mse") == ()
    assert check_rule(ScrambledClasses, run_with("cross_entropy", "Transpose", loss_input_shape=[32, 8, 10])) == ()
    assert isinstance(check_rule(ScrambledClasses, make_run([2.0] * 60)), NotChecked)


@pytest.mark.parametrize("wrong", [True, False])
def test_a_tagger_that_reshapes_and_one_that_transposes(tmp_path, wrong):
    """In a real training, the fault is named, and its repair is silent."""
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with trainhealth.watch(model, optimizer, run_dir=tmp_path / "run") as watch:
        for _ in range(5):
            scores, targets = model(torch.randn(3, 7, 6)), torch.randint(4, (3, 7))
            loss = F.cross_entropy(scores.view(3, 4, 7) if wrong else scores.movedim(2, 1), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss, outputs=scores, targets=targets)
    assert ("MO13" in [finding.code for finding in trainhealth.check(tmp_path / "run").findings]) is wrong
