"""The code of a finding's remedies, and how it gets to the clipboard."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.tui.cases import CAUSE, OTHER
from trainhealth.findings import Change, Recommendation
from trainhealth.recipes import find
from trainhealth.tui.clipboard import copy_text
from trainhealth.tui.snippets import snippet_lines, snippets_of


def advising(*recipes: str | None) -> Recommendation:
    return Recommendation(action="Do so.", because="it helps", verify="it is better", recipe=recipes[0])


def test_a_snippet_runs_and_says_what_it_is_for() -> None:
    """Above the recipe's code stands the advice with its numbers, as a comment."""
    (snippet,) = snippets_of(CAUSE)
    assert snippet.recipe == "lower-learning-rate"
    lines = snippet.code.splitlines()
    assert lines[:3] == [
        "# Lower the learning rate from 0.5 to 0.005.",
        "# More: trainhealth explain lower-learning-rate",
        "",
    ]
    assert "\n".join(lines[3:]) == find("lower-learning-rate").snippet.strip()
    compile(snippet.code, "snippet", "exec")


def test_a_long_advice_stays_a_comment() -> None:
    """Every line of it."""
    advice = dataclasses.replace(CAUSE.recommendations[0], action="word " * 100)
    (snippet,) = snippets_of(dataclasses.replace(CAUSE, recommendations=(advice,)))
    head, _, _ = snippet.code.partition("\n\n")
    assert len(head.splitlines()) > 3
    assert all(line.startswith("# ") for line in head.splitlines())


def test_a_recipe_stands_once_and_one_that_is_not_in_the_book_is_left_out() -> None:
    """Two recommendations may name one recipe; a plugin's may have none that we know."""
    items = tuple(map(advising, ("warm-up", None, "nobody-knows-it", "warm-up", "gradient-clipping")))
    finding = dataclasses.replace(OTHER, recommendations=items)
    assert [snippet.recipe for snippet in snippets_of(finding)] == ["warm-up", "gradient-clipping"]
    assert snippets_of(OTHER) == ()
    assert snippet_lines(advising("nobody-knows-it")) == []
    assert snippet_lines(advising("warm-up"))


@pytest.mark.parametrize("recipe", ["lower-learning-rate", "raise-learning-rate"])
def test_the_code_sets_the_rate_that_is_advised(recipe: str) -> None:
    """A recipe's tenth is for those who have no better number."""
    advice = dataclasses.replace(advising(recipe), change=Change("learning_rate", 0.5, 0.0003))
    (snippet,) = snippets_of(dataclasses.replace(OTHER, recommendations=(advice,)))
    assert 'group["lr"] = 0.0003  # ' in snippet.code
    assert any('group["lr"] = 0.0003  # ' in line for line in snippet_lines(advice))
    assert any("= 10" in line for line in snippet_lines(advising(recipe)))


def test_copying_sends_the_escape_sequence_whatever_else_there_is() -> None:
    """Over ssh nothing else reaches the machine that the person sits at."""
    sent: list[str] = []
    assert copy_text("code", {"SSH_CONNECTION": "x", "DISPLAY": ":0"}, sent.append) == "the terminal's clipboard"
    assert sent == ["code"]


@pytest.mark.parametrize(
    ("environment", "program", "place"),
    [
        ({"TMUX": "/tmp/tmux-0/default,1,0"}, "tmux", "tmux's buffer and the clipboard"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "wl-copy", "the clipboard"),
        ({"DISPLAY": ":0"}, "xclip", "the clipboard"),
    ],
)
def test_a_program_of_the_surroundings_gets_the_text_too(
    environment: dict[str, str], program: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tmux keeps the escape sequence to itself by default, and not every terminal of a desktop allows it."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    script = tmp_path / program
    script.write_text(f'#!/bin/sh\ncat > "{tmp_path}/got"\n')
    script.chmod(0o755)
    assert copy_text("code: é", environment, lambda _: None) == place
    assert (tmp_path / "got").read_text() == "code: é"


def test_a_program_that_fails_leaves_the_escape_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A display that is gone, a tmux that has ended: no error, and no false claim."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    script = tmp_path / "tmux"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    assert copy_text("code", {"TMUX": "x"}, lambda _: None) == "the terminal's clipboard"
