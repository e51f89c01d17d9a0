"""The table of runs as text."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from rich.cells import cell_len

from tests.tui.cases import CAUSE, OTHER, SYMPTOM
from trainhealth.records import RunInfo
from trainhealth.tui.lines import plain, width_of
from trainhealth.tui.run_colours import COLOURS, run_colours
from trainhealth.tui.runs_order import ORDERS
from trainhealth.tui.runs_row import Depth, Result, RunRow, RunsSnapshot
from trainhealth.tui.runs_table import columns_for, differing, head_line, message_of, row_line, title_lines
from trainhealth.tui.snapshot import Condition, State

NOW = 1_000_000.0


def row(name: str = "baseline", **fields: Any) -> RunRow:
    """Return a run that was read in full and ended two hours ago."""
    known: dict[str, Any] = {
        "condition": Condition(State.ENDED), "depth": Depth.READ, "written": NOW - 7200, "step": 459, "epoch": 19,
        "loss": 0.25, "best": Result("validation_accuracy", 0.978), "findings": (), "judged": True,
        "info": RunInfo(total_steps=460, hyperparameters={"learning_rate": 0.1}),
    }  # fmt: skip
    return RunRow(f"runs/{name}", name, **(known | fields))


def text(one: RunRow, width: int = 200, **more: Any) -> str:
    return plain(row_line(one, columns_for([one], width), NOW, **more)).rstrip()


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (40, "name state loss findings age"),
        (80, "name state epoch loss result findings age"),
        (120, "name state step epoch loss result findings settings age"),
        (200, "name state step epoch loss result findings settings age"),
    ],
)
def test_what_matters_most_has_room_in_every_width(width: int, columns: str) -> None:
    """State, loss, findings and age always; no line is wider than the table, and every head stands over its column."""
    rows = [row(), row("wide", info=RunInfo(hyperparameters={"learning_rate": 0.5}))]
    chosen = columns_for(rows, width)
    assert " ".join(chosen.widths) == columns
    head, lines = head_line(chosen, ORDERS[0], reverse=False), [row_line(one, chosen, NOW) for one in rows]
    assert width < 60 or max(width_of(one) for one in (head, *lines)) <= width + 2
    assert {width_of(one) for one in lines} == {width_of(head)}
    for name, start in chosen.starts().items():
        title = {"name": "run", "result": "best", "settings": "what differs"}.get(name, name)
        assert title in plain(head)[start : start + chosen.widths[name]]


def test_a_row_tells_how_the_run_did() -> None:
    """One line from left to right."""
    assert " ".join(text(row(), 120).split()) == "baseline ■ ended 459 20 0.250 acc 0.978 ✓ nothing found 2 h"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"findings": (CAUSE, SYMPTOM)}, "✖ learning-rate-too-high"),
        ({"findings": (CAUSE, SYMPTOM, OTHER)}, "✖ learning-rate-too-high +1"),
        ({"findings": ()}, "✓ nothing found"),
        ({"findings": (), "judged": False}, "no rule could be checked"),
        ({"findings": None}, "…"),
        ({"findings": (), "condition": Condition(State.FAILED, "OutOfMemory: 2 GB")}, "OutOfMemory: 2 GB"),
        ({"findings": (OTHER,), "condition": Condition(State.FAILED, "RuntimeError")}, "▲ overfitting"),
        ({"findings": None, "condition": Condition(State.UNREADABLE, "x: permission denied")}, "x: permission denied"),
    ],
)
def test_the_first_thing_that_a_person_should_read(fields: dict[str, Any], told: str) -> None:
    """A cause counts with its symptoms; what nothing was found in may have failed for another reason."""
    assert plain(message_of(row(**fields))) == told


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"condition": Condition(State.LIVE)}, "now"),
        ({"written": NOW - 50}, "50 s"),
        ({"condition": Condition(State.LIVE), "step": 114}, "25% 114"),
        ({"condition": Condition(State.ENDED), "step": 114}, "ended        114"),
        ({"loss": math.nan}, "NaN"),
        ({"best": Result("validation_loss", 0.3)}, "loss 0.300"),
        ({"step": 2_500_000}, "2.5M"),
    ],
)
def test_numbers_are_as_people_write_them(fields: dict[str, Any], told: str) -> None:
    """Short, and with their unit where it is not clear."""
    assert told in text(row(**fields))


def test_what_was_not_read_yet_is_said_to_come() -> None:
    """An empty cell would say that the run has none."""
    assert text(RunRow("runs/a", "a")).split() == ["a", *"……………"]
    assert text(RunRow("runs/a", "a", Condition(State.LIVE), Depth.GLANCED)).split() == [
        "a",
        "●",
        "live",
        "…",
        "…",
        "now",
    ]


def test_of_a_long_name_both_ends_can_be_seen() -> None:
    """Runs of one experiment often differ at the end."""
    one = row("a-very-long-name-of-an-experiment/with-seed-17")
    columns = columns_for([one], 80)
    shown = plain(row_line(one, columns, NOW))[3 : 3 + columns.widths["name"]]
    assert shown.startswith("a-very")
    assert shown.endswith("seed-17")
    assert "…" in shown


def test_wide_characters_keep_the_columns() -> None:
    """A name may be in any language."""
    rows = [row("実験一号"), row("b")]
    chosen = columns_for(rows, 100)
    assert {cell_len(plain(row_line(one, chosen, NOW))) for one in rows} == {
        width_of(head_line(chosen, ORDERS[0], reverse=False))
    }


def test_the_selected_and_the_chosen_are_marked_by_signs() -> None:
    """Colours alone would not tell."""
    assert text(row(), selected=True).startswith("▎  baseline")
    assert text(row(), colour=2).startswith(" c baseline")


def test_the_head_says_how_the_table_is_sorted() -> None:
    """An arrow stands at the column."""
    chosen = columns_for([row()], 120)
    by = {order.id: order for order in ORDERS}
    assert "loss ↓" in plain(head_line(chosen, by["loss"], reverse=False))
    assert "findings ↑" in plain(head_line(chosen, by["findings"], reverse=True))


def test_only_settings_that_differ_are_shown() -> None:
    """What a person has named comes first; a row that nobody has looked at tells nothing."""
    rows = [
        row("a", info=RunInfo(model="Net", hyperparameters={"seed": 1, "rate": 0.1})),
        row("b", info=RunInfo(model="Wide", hyperparameters={"seed": 1, "rate": 0.5})),
        RunRow("runs/c", "c"),
    ]
    assert differing(rows) == ("rate", "model")
    assert "rate 0.1 · model Net" in plain(row_line(rows[0], columns_for(rows, 200), NOW))
    assert differing(rows[:1]) == ()


def test_the_title_counts_the_runs() -> None:
    """And what is worth looking at among them."""
    rows = (row(), row("b", condition=Condition(State.LIVE)), row("c", condition=Condition(State.FAILED)))
    snapshot = RunsSnapshot("experiments/runs", rows, listed=True)
    assert plain(title_lines(snapshot, 3, "", 100)[0]).startswith(" runs  3 runs  ● 1 live  ✖ 1 failed")
    assert "1 of 3 runs with “wide”" in plain(title_lines(snapshot, 1, "wide", 100)[0])
    assert "looking for runs" in plain(title_lines(RunsSnapshot("runs"), 0, "", 100)[0])


def test_a_run_has_the_colour_of_its_name_wherever_it_is_seen() -> None:
    """Only where two would share one, the later gives way."""
    names = [f"run-{number}" for number in range(40)]
    alone = {name: run_colours([name])[name] for name in names}
    assert set(alone.values()) == set(range(COLOURS))
    twins = next([a, b] for a in names for b in names if a < b and alone[a] == alone[b])
    together = run_colours(twins)
    assert together[twins[0]] == alone[twins[0]]
    assert together[twins[1]] != alone[twins[1]]


def test_as_many_runs_as_there_are_colours_all_differ() -> None:
    """And a further one takes its own colour again."""
    names = [f"run-{number}" for number in range(COLOURS + 1)]
    colours = run_colours(names)
    assert len({colours[name] for name in names[:COLOURS]}) == COLOURS
    assert colours[names[-1]] == run_colours(names[-1:])[names[-1]]


def test_a_hostile_name_can_not_steer_the_terminal() -> None:
    """It comes from a folder that anybody may have named."""
    assert "\x1b" not in text(dataclasses.replace(row(), name="a\x1b[31mb"))
