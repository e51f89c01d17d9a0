"""``trainhealth explain``, ``rules`` and ``recipes``: the knowledge, for reading and for grep."""

from __future__ import annotations

import pytest

from trainhealth.cli import main

RULE_TEXT = """\
ZZ01 high-loss  loss, usually critical, certain, since 0.1
The training loss is high.

What it detects
  A train_loss above a limit.

Why it matters
  It should be low:
      high = train_loss > limit
  - one item that is so long that it has to be wrapped when it is written to a
    page of eighty columns
  - another item

How it decides
  By `limit`.

What to try
  Lower it.

When it is wrong
  Always.

Reads
  train_loss; where it is there, learning_rate

Options
  limit  100.0 nats (house choice)

References
  A book
    Low is better
    https://example.org
"""


@pytest.mark.parametrize("name", ["ZZ01", "zz01", "high-loss", "High-Loss", "high_loss"])
def test_a_rule_is_explained_by_code_or_name(capsys, name):
    """All sections of its documentation, its options with unit and source, its references; formulas keep their form."""
    assert main(["explain", name]) == 0
    assert capsys.readouterr().out == RULE_TEXT


def test_a_recipe_is_explained_with_its_snippet_as_it_is(capsys):
    """The snippet can be copied from the terminal: no line of it is wrapped or changed."""
    from trainhealth.recipes import find

    assert main(["explain", "find-learning-rate"]) == 0
    out = capsys.readouterr().out
    recipe = find("find-learning-rate")
    assert out.startswith("find-learning-rate  recipe\n")
    for line in recipe.snippet.strip().splitlines():
        assert f"    {line}".rstrip() in out.splitlines()
    for title in ("When", "When not", "What it costs", "What is seen if it works", "Lecture and practice", "Sources"):
        assert title in out.splitlines()
    assert 'Lecture "Optimizing Neural Networks"' in out


@pytest.mark.parametrize(
    ("wrong", "right"), [("ZZ1", "ZZ01"), ("hihg-loss", "high-loss"), ("early-stoping", "early-stopping")]
)
def test_an_unknown_name_is_a_usage_error_that_names_the_nearest(capsys, wrong, right):
    """The nearest code, rule or recipe, and where all of them are listed."""
    assert main(["explain", wrong]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: there is no rule, recipe or signal {wrong!r}; the nearest: {right}\n")
    assert "trainhealth rules and trainhealth recipes" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(("word", "near"), [("loss", "the nearest: high-loss"), ("hihg-losss", "high-loss")])
def test_a_word_of_a_name_is_enough_to_be_told_the_name(capsys, word, near):
    """Names that hold the word come before those that are spelt alike."""
    assert main(["explain", word]) == 2
    assert near in capsys.readouterr().err


def test_a_word_that_is_like_no_name_is_not_told_a_nearest_one(capsys):
    """A suggestion that has nothing to do with it would only mislead."""
    assert main(["explain", "NONSENSE"]) == 2
    error = capsys.readouterr().err
    assert "nearest" not in error
    assert "What can be explained is listed by trainhealth rules" in error


def test_rules_are_listed_one_a_line(capsys, monkeypatch):
    """In a pipe no line is wrapped, however narrow the terminal: grep finds whole rows."""
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["rules"]) == 0
    assert capsys.readouterr().out == (
        "ZZ01  high-loss     critical  The training loss is high.\n"
        "ZZ02  odd-accuracy  critical  Accuracy is odd.\n"
    )  # fmt: skip


def test_recipes_are_listed_and_searched(capsys):
    """All of them, or those about some words; none about them is told as such."""
    assert main(["recipes"]) == 0
    everything = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert main(["recipes", "tanh", "initialization", "saturated"]) == 0
    found = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert found == ["xavier-initialization"]
    assert set(found) < set(everything)
    assert main(["recipes", "zebra"]) == 2
    assert "no recipe is about 'zebra'" in capsys.readouterr().err


def test_what_a_search_had_to_guess_is_said(capsys):
    """On stderr: stdout holds the recipes only."""
    assert main(["recipes", "droput"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("dropout ")
    assert captured.err == "no recipe is about 'droput'; these are about 'dropout'\n"
    assert main(["recipes", "validation", "loss", "zebra"]) == 0
    captured = capsys.readouterr()
    assert "early-stopping" in captured.out
    assert "about most of it" in captured.err


@pytest.mark.parametrize("name", ["update_ratio", "update ratio", "Update-Ratio"])
def test_a_signal_is_explained_with_the_rules_that_read_it(capsys, name):
    """What a report's evidence names can be looked up by that name."""
    assert main(["explain", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith("update_ratio  signal, one value a parameter and sampled step, unit: 1\n")
    assert "L2 norm of the step's update over the L2 norm of the parameter." in out


def test_a_name_of_a_recipe_that_is_a_signal_too_is_the_recipes(capsys):
    """With an underscore, as signals are written, it is the signal."""
    assert main(["explain", "batch-size"]) == 0
    assert capsys.readouterr().out.startswith("batch-size  recipe")
    assert main(["explain", "batch_size"]) == 0
    assert capsys.readouterr().out.startswith("batch_size  signal")


def test_the_rules_that_read_a_signal_are_listed(capsys):
    """With their codes, for `explain`."""
    assert main(["explain", "train_loss"]) == 0
    assert "ZZ01 high-loss" in capsys.readouterr().out


@pytest.mark.parametrize(("asked", "told"), [("kaiming", "he-initialization"), ("warmup", "warm-up")])
def test_another_name_of_a_remedy_leads_to_it(capsys, asked, told):
    """What is no name, and like none, may still be what a recipe is about."""
    assert main(["explain", asked]) == 2
    assert told in capsys.readouterr().err
