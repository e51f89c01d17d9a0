"""The closed list of signals, and the names that were probably meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainhealth.signals import HIGHER_IS_BETTER, LOWER_IS_BETTER, SIGNALS, Merge, Scope, near_miss


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS.keys())
def test_a_signal_says_its_unit_and_meaning_in_a_sentence(signal: object) -> None:
    """They are shown to people."""
    meaning = getattr(signal, "meaning", "")
    assert getattr(signal, "unit", "")
    assert meaning.endswith(".")
    assert meaning[0].isupper()


@pytest.mark.parametrize("signal", [s for s in SIGNALS.values() if s.merge is Merge.MOMENTS], ids=lambda s: s.name)
def test_a_standard_deviation_has_a_mean_to_be_merged_with(signal: object) -> None:
    """Ranks' standard deviations can't be merged without."""
    name = getattr(signal, "name", "")
    assert name.endswith("_std")
    assert SIGNALS[name.removesuffix("_std") + "_mean"].scope is getattr(signal, "scope", None)


def test_better_is_said_of_evaluated_signals_only() -> None:
    """And of no signal both ways."""
    assert not set(LOWER_IS_BETTER) & set(HIGHER_IS_BETTER)
    scopes = {SIGNALS[name].scope for name in (*LOWER_IS_BETTER, *HIGHER_IS_BETTER)}
    assert scopes <= {Scope.STEP, Scope.EVALUATION}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("validation_los", "validation_loss"),
        ("validaton_loss", "validation_loss"),
        ("val_loss", "validation_loss"),
        ("valid_loss", "validation_loss"),
        ("val/loss", "validation_loss"),
        ("val-acc", "validation_accuracy"),
        ("Val Accuracy", "validation_accuracy"),
        ("test_acc", "test_accuracy"),
        ("training_loss", "train_loss"),
        ("train.loss", "train_loss"),
        ("trian_loss", "train_loss"),
        ("loss", "train_loss"),
        ("acc", "train_accuracy"),
        ("lr", "learning_rate"),
        ("learningrate", "learning_rate"),
        ("batchsize", "batch_size"),
        ("gradient_nrom", "gradient_norm"),
    ],
)
def test_a_slip_or_a_usual_short_form_is_recognised(name: str, meant: str) -> None:
    """No rule would read the value under this name."""
    assert near_miss(name) == meant


@pytest.mark.parametrize(
    "name",
    [
        "f1",
        "perplexity",
        "best_accuracy",
        "best_loss",
        "train_loss_2",
        "val_top5_accuracy",
        "generator_loss",
        "epoch",
        "",
    ],
)
def test_a_name_of_ones_own_is_left_alone(name: str) -> None:
    """Warning of it would be nagging."""
    assert near_miss(name) is None


@pytest.mark.parametrize("name", SIGNALS)
def test_a_known_name_is_no_miss(name: str) -> None:
    """It is what it is."""
    assert near_miss(name) is None


@given(st.text(max_size=30))
def test_any_name_is_a_near_miss_of_a_known_signal_or_of_none(name: str) -> None:
    """And never of itself."""
    meant = near_miss(name)
    assert meant is None or (meant in SIGNALS and meant != name)
