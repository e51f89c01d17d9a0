"""Scores of other tools' logs: known by the words of their names, and turned so that more is better."""

import dataclasses

import numpy as np
import pytest

from trainhealth.rules.scores import scores, validation_scores
from trainhealth.series import Series
from trainhealth.testing import make_run


def with_columns(run, **columns):
    """A run with columns that no signal stands for, at steps 0, 10, 20, …"""
    named = {
        name.replace("__", "/"): Series(name.replace("__", "/"), 10 * np.arange(len(values)), np.asarray(values, float))
        for name, values in columns.items()
    }
    return dataclasses.replace(run, scalars={**run.scalars, **named})


@pytest.mark.parametrize("name", ["eval_f1", "Val F1", "val__AUC_1", "validMacroF1", "mIoU", "val_mAP", "dice_score"])
def test_a_score_is_known_by_a_word_of_its_name(name):
    """Whatever stands between the words."""
    (found,) = scores(with_columns(make_run([1.0]), **{name: [0.5, 0.6]}))
    assert found.values.tolist() == [0.5, 0.6]


def test_an_error_rate_is_turned():
    """More is better for all that comes back."""
    (found,) = scores(with_columns(make_run([1.0]), eval_wer=[30.0, 20.0]))
    assert found.values.tolist() == [-30.0, -20.0]


@pytest.mark.parametrize("name", ["eval_runtime", "recall", "loss", "accelerator", "mape"])
def test_other_columns_are_no_scores(name):
    """A recall of 1 is reached by one answer to everything; parts of a word don't count."""
    assert [found.name for found in scores(with_columns(make_run([1.0]), **{name: [0.5]}))] == []


def test_signals_are_left_to_those_who_ask_for_them():
    """train_accuracy is a signal, and a column without a finite value is nothing."""
    run = make_run([1.0] * 4, epochs=[{"train_accuracy": 0.5}])
    assert scores(with_columns(run, f1=[float("nan")])) == []


def test_the_validation_split_is_known_by_a_word_too():
    """A score without a split may be of the training data."""
    run = with_columns(make_run([1.0]), f1=[0.5], train_f1=[0.5], val_f1=[0.5], eval_cer=[0.5])
    assert [found.name for found in validation_scores(run)] == ["val_f1", "eval_cer"]
