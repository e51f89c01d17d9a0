"""``trainhealth sweep``: the report on a search, for people and for programs."""

from __future__ import annotations

import io
import json
import re

import pytest

from tests.search.tables import COARSE, FINE, drawn, search_from
from trainhealth.cli import main
from trainhealth.reports.sweep_markdown import markdown
from trainhealth.reports.sweep_text import write_text
from trainhealth.sweeping import judged


@pytest.fixture
def table(tmp_path):
    """The lectures' second table as CSV."""
    lines = [line.split() for line in FINE.split("\n") if line]
    path = tmp_path / "fine.csv"
    path.write_text("lr,reg,val_acc\n" + "".join(f"{lr},{reg},{accuracy}\n" for accuracy, lr, reg in lines))
    return str(path)


def text_of(search, options=None):
    out = io.StringIO()
    write_text(judged(search, options or {}), out)
    return out.getvalue()


def test_the_lectures_table_gives_the_lectures_answer(table, capsys):
    """The best of 22 trials lies at the edge of its range; the rate matters, the decay does not; where to look next."""
    assert main(["sweep", table]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"best +0\.531 \(trial 14: lr 0\.000947, reg 0\.00143\)", shown)
    assert re.search(r"lr +█+▌? +7\d %\n", shown)
    assert re.search(r"reg +no effect to be told from chance", shown)
    assert "on beyond the upper edge" in shown
    assert "best-at-the-edge  SE01, hint" in shown
    assert all(len(line) <= 80 for line in shown.splitlines()[1:])  # the path sticks out


def test_json_has_the_same_in_numbers(table, capsys):
    """Settings, the weightiest first, with influence, best region and next range; findings as everywhere."""
    assert main(["sweep", table, "--format", "json"]) == 0
    search = json.loads(capsys.readouterr().out)["search"]
    assert (search["trials"], search["failed"], search["goal"], search["score"]) == (22, 0, "max", "val_acc")
    rate, decay = search["settings"]
    assert (rate["name"], rate["matters"], rate["scale"], rate["next"]["how"]) == ("lr", True, "log", "log-uniform")
    assert rate["next"]["high"] > 1e-3
    assert (decay["matters"], decay["best"]) == (False, None)
    assert [finding["id"] for finding in search["findings"]] == ["SE01@lr"]


def test_markdown_is_a_table_of_settings(table, capsys):
    """For an issue or a pull request."""
    assert main(["sweep", table, "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| setting | share of the differences | best value | next |" in shown
    assert "### note: best-at-the-edge (SE01, hint)" in shown


def test_fail_on_decides_the_exit_code(table, tmp_path):
    """By default a search is no failure; a note or a warning is one where it was asked for."""
    assert main(["sweep", table, "--fail-on", "note", "--format", "json"]) == 1
    assert main(["sweep", table, "--fail-on", "warning", "--format", "json"]) == 0


def test_a_score_without_a_direction_asks_for_it(tmp_path, capsys):
    """One line that says which option to pass, and with it the search is read."""
    path = tmp_path / "t.csv"
    path.write_text("lr,value\n" + "".join(f"{0.1 ** (i / 5)},{i}\n" for i in range(12)))
    assert main(["sweep", str(path)]) == 2
    assert "--goal max or --goal min" in capsys.readouterr().err
    assert main(["sweep", str(path), "--goal", "min"]) == 0
    assert "lower is better" in capsys.readouterr().out


def test_a_missing_table_is_unreadable(tmp_path, capsys):
    """The exit code of a log that can't be read."""
    assert main(["sweep", str(tmp_path / "none.csv")]) == 3
    assert "No such file" in capsys.readouterr().err


def test_the_scatter_shows_every_kind_of_trial():
    """The best one, the best tenth, the others, and those that failed in a row of their own."""
    rates = [10.0**-power for power in range(1, 6) for _ in range(6)]
    scores = [float("nan") if rate == 0.1 else -abs(rate - 1e-3) - number * 1e-6 for number, rate in enumerate(rates)]
    shown = text_of(search_from({"lr": rates}, scores)).splitlines()
    failed = next(line for line in shown if line.strip().startswith("failed"))
    assert failed.rstrip().endswith("×")
    assert sum(line.count("●") for line in shown) >= 1
    assert any("1e-05" in line and "lr (log)" in line and "0.1" in line for line in shown)


def test_parallel_coordinates_stand_where_two_settings_matter():
    """An axis a setting and one for the score, with names above and ends at both sides."""
    search = drawn(lambda u: -8 * (u - 0.5) ** 2, 60)
    rates, widths = search.trials.column("lr"), search.trials.column("width")
    scores = [score + 3 * width for score, width in zip(search.trials.scores, widths, strict=True)]
    both = search_from({"lr": rates, "width": widths}, scores)
    lines = text_of(both).splitlines()
    assert set(both.mattering) == {"lr", "width"}
    (title,) = [line for line in lines if re.fullmatch(r"(lr|width) +(lr|width) +accuracy", line)]
    assert len(title) <= 76


def test_too_few_trials_say_so():
    """No importance, no picture, and why."""
    shown = text_of(drawn(lambda u: u, 5))
    assert "nothing can be said of the settings: there are 5 trials" in shown
    assert "not checked" in shown
    assert "what matters" not in shown


def test_an_ascii_stream_gets_ascii_pictures():
    """A terminal without the signs shows the same with letters."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    write_text(judged(drawn(lambda u: -8 * (u - 0.5) ** 2), {}), out)
    out.flush()
    assert b"@" in out.buffer.getvalue()


def test_options_of_the_project_reach_the_rules():
    """A higher bar silences a hint."""
    lines = [[float(cell) for cell in line.split()] for line in COARSE.split("\n") if line]
    search = search_from({"lr": [row[1] for row in lines]}, [row[0] for row in lines])
    assert [finding.code for finding in judged(search, {}).findings] == ["SE01"]
    assert judged(search, {"best-at-the-edge": {"sure": 1.1, "chance": 1.1}}).findings == ()
    assert "SE01" not in markdown(judged(search, {"best-at-the-edge": {"sure": 1.1, "chance": 1.1}}))
