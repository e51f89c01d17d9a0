"""In which order the runs stand, and which of them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from tests.tui.cases import CAUSE, OTHER
from trainhealth.records import OptimizerInfo, RunInfo
from trainhealth.tui.runs_order import ORDERS, matching, ordered, text_of
from trainhealth.tui.runs_row import Depth, Result, RunRow
from trainhealth.tui.snapshot import Condition, State

BY = {order.id: order for order in ORDERS}


def row(name: str, **fields: Any) -> RunRow:
    """Return a row that was read in full."""
    state = Condition(fields.pop("state", State.ENDED))
    return RunRow(f"runs/{name}", name, state, depth=Depth.READ, **fields)


def names(rows: list[RunRow]) -> list[str]:
    return [one.name for one in rows]


@pytest.mark.parametrize(
    ("order", "rows", "expected"),
    [
        ("age", [row("old", written=1.0), row("new", written=9.0), row("live", state=State.LIVE)], "live new old"),
        ("name", [row("run-10"), row("run-9"), row("a")], "a run-9 run-10"),
        ("state", [row("over"), row("live", state=State.LIVE), row("failed", state=State.FAILED)], "failed live over"),
        ("step", [row("short", step=3), row("none"), row("long", step=500)], "long short none"),
        ("loss", [row("nan", loss=math.nan), row("none"), row("b", loss=2.0), row("a", loss=0.1)], "a b nan none"),
        (
            "result",
            [
                row("none"),
                row("loss", best=Result("validation_loss", 0.1)),
                row("worse", best=Result("validation_accuracy", 0.5)),
                row("better", best=Result("validation_accuracy", 0.9)),
            ],
            "better worse loss none",
        ),
        (
            "findings",
            [
                row("healthy", findings=()),
                row("unread"),
                row("warned", findings=(OTHER,)),
                row("twice", findings=(CAUSE, OTHER)),
                row("once", findings=(CAUSE,)),
            ],
            "twice once warned healthy unread",
        ),
    ],
)
def test_an_order_puts_first_what_one_looks_for(order: str, rows: list[RunRow], expected: str) -> None:
    """What is not known stands at the end."""
    assert " ".join(names(ordered(rows, BY[order]))) == expected


def test_reversed_the_unknown_stays_at_the_end() -> None:
    """It is no result, neither a good nor a bad one."""
    rows = [row("none"), row("a", loss=1.0), row("b", loss=2.0)]
    assert names(ordered(rows, BY["loss"], reverse=True)) == ["b", "a", "none"]


def test_runs_that_train_do_not_change_places() -> None:
    """Each of their records is newer than the one before; they stand by their names."""
    rows = [row("b", state=State.LIVE, written=5.0), row("a", state=State.LIVE, written=4.0)]
    later = [rows[0], dataclasses.replace(rows[1], written=6.0)]
    assert names(ordered(rows, BY["age"])) == names(ordered(later, BY["age"])) == ["a", "b"]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.id)
def test_every_order_takes_rows_of_every_kind(order: Any) -> None:
    """A row of which nothing is known is one of them."""
    rows = [
        RunRow("runs/listed", "listed"),
        *(row(str(state), state=state) for state in State),
        row("inf", loss=math.inf, findings=(CAUSE,), best=Result("validation_loss", 1.0)),
    ]
    for reverse in (False, True):
        assert {one.path for one in ordered(rows, order, reverse=reverse)} == {one.path for one in rows}


SGD = RunInfo(model="Net", hyperparameters={"width": 64}, optimizers=[OptimizerInfo(name="", type="SGD")])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["alpha", "beta"]),
        ("  ", ["alpha", "beta"]),
        ("ALPHA", ["alpha"]),
        ("learning-rate", ["alpha"]),
        ("ge01", ["beta"]),
        ("critical", ["alpha"]),
        ("live", ["beta"]),
        ("width=64", ["alpha"]),
        ("sgd critical", ["alpha"]),
        ("sgd live", []),
        ("-live", ["alpha"]),
        ("-", ["alpha", "beta"]),
        ("cuda", ["beta"]),
    ],
)
def test_words_are_looked_for_in_all_that_is_known(words: str, expected: list[str]) -> None:
    """Every word must occur; a minus before it leaves out what has it."""
    one = row("alpha", info=SGD, findings=(CAUSE,))
    other = row("beta", info=RunInfo(device="cuda:0"), state=State.LIVE, findings=(OTHER,))
    assert names(matching([one, other], words)) == expected


def test_what_a_filter_looks_at_is_in_lower_case() -> None:
    """So that no word depends on how it was written."""
    text = text_of(row("Baseline", info=SGD))
    assert text == text.lower()
    assert "baseline" in text
