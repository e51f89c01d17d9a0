"""DA12: fires where the loss counts the filling of short sequences."""

import pytest
import torch

from tests.rules.loss_facts import run_with
from trainhealth.findings import NotChecked, Severity
from trainhealth.hooks.padding import padding_of
from trainhealth.rules.data.counted_padding import CountedPadding
from trainhealth.testing import check_rule, make_run


def judge(share=0.6, index=0, ignored=-100, function="cross_entropy", reduction="mean"):
    facts = {"padding_index": index, "padding_share": share, "ignore_index": ignored, "loss_reduction": reduction}
    return check_rule(CountedPadding, run_with(function, "Transpose", "Addmm", **facts))


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.2, Severity.NOTE), (0.49, Severity.NOTE), (0.5, Severity.WARNING), (0.9, Severity.WARNING)],
)
def test_fires_from_a_fifth_on_and_warns_from_a_half_on(share, severity):
    """The share of the filling decides what it costs."""
    (found,) = judge(share)
    assert found.severity is severity
    assert found.recommendations[0].action == "Give the loss ignore_index=0."


def test_silent_where_it_is_ignored_masked_rare_or_not_known():
    """The right ignore_index; a mask on unreduced losses; a twentieth; another loss; no sequences."""
    assert judge(ignored=0) == ()
    assert judge(reduction="none") == ()
    assert judge(share=0.19) == ()
    assert judge(function="mse") == ()
    assert check_rule(CountedPadding, run_with("cross_entropy", "Addmm", ignore_index=-100)) == ()
    assert isinstance(check_rule(CountedPadding, make_run([2.0] * 60)), NotChecked)


# --- what is filling ---


def sequences(*lengths, width=12, filling=0):
    """Sequences of the classes 1 to 6, as long as given, filled up at the end."""
    rows = torch.arange(len(lengths) * width).view(-1, width) % 6 + 1
    return torch.where(torch.arange(width) < torch.tensor(lengths)[:, None], rows, filling)


@pytest.mark.parametrize("at_the_end", [True, False])
def test_filling_is_found_at_either_end(at_the_end):
    """Its class, and its share: 24 of 60."""
    targets = sequences(4, 8, 12, 6, 6)
    assert padding_of(targets if at_the_end else targets.flip(1)) == {
        "padding_index": 0,
        "padding_share": pytest.approx(24 / 60),
    }


@pytest.mark.parametrize(
    "targets",
    [
        sequences(12, 12, 12, 12, 12),  # all full
        sequences(11, 11, 11, 11, 11),  # an end mark each
        sequences(4, 8, 12),  # too few sequences
        sequences(4, 8, 12, 6, 6, filling=-100),  # ignored already
        sequences(4, 8, 12, 6, 6).float(),
        sequences(4, 8, 12, 6, 6).flatten(),
        sequences(4, 8, 12, 6, 6).clamp(max=1),  # a state that is left for good
        torch.where(torch.arange(12) == 1, 0, sequences(4, 8, 12, 6, 6)),  # class 0 stands inside, too
    ],
)
def test_other_targets_are_not_filled(targets):
    """What might be data is left alone."""
    assert padding_of(targets) == {}
