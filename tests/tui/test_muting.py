"""Which findings are muted, and for how long."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.tui.cases import CAUSE, OTHER, SYMPTOM, snapshot
from tests.tui.run_tables import row, runs
from trainhealth.tui.lines import plain
from trainhealth.tui.muting import Muting
from trainhealth.tui.runs_table import message_of


def test_a_muted_finding_is_taken_out_of_the_snapshot_and_can_come_back(tmp_path: Path) -> None:
    """The diagnosis itself stays what it is."""
    muting = Muting(tmp_path)
    shown = snapshot()
    assert muting.switch(shown.path, CAUSE.id)
    muted = muting.applied(shown)
    assert muted.findings == (SYMPTOM, OTHER)
    assert muted.muted_findings == (CAUSE,)
    assert muted.diagnosis is shown.diagnosis
    assert not muting.switch(shown.path, CAUSE.id)
    assert muting.applied(muted).findings == shown.findings


def test_the_next_dashboard_remembers_it_for_this_run_only(tmp_path: Path) -> None:
    """The same finding in another run has not been looked at yet."""
    Muting(tmp_path).switch("runs/baseline", CAUSE.id)
    later = Muting(tmp_path)
    assert later.applied(snapshot()).muted == {CAUSE.id}
    assert not later.switch("runs/baseline", CAUSE.id)
    assert Muting(tmp_path).switch("runs/wider", CAUSE.id)


def test_a_snapshot_without_muted_findings_stays_the_same_object(tmp_path: Path) -> None:
    """Nothing is drawn anew for nothing."""
    shown = snapshot()
    assert Muting(tmp_path).applied(shown) is shown


def test_the_table_of_runs_leaves_out_what_is_muted_and_counts_it(tmp_path: Path) -> None:
    """For the run in which it is muted; the rows of the others stay the same objects."""
    muting, shown = Muting(tmp_path), runs()
    muting.switch(row(0).path, CAUSE.id)
    first, *others = muting.applied_to_runs(shown).rows
    assert (first.findings, first.muted) == ((SYMPTOM, OTHER), 1)
    assert all(one is two for one, two in zip(others, shown.rows[1:], strict=True))


def test_a_run_whose_findings_are_all_muted_is_not_called_sound(tmp_path: Path) -> None:
    """The table says that something is muted."""
    muting, shown = Muting(tmp_path), runs()
    for finding in (CAUSE, SYMPTOM, OTHER):
        muting.switch(row(0).path, finding.id)
    quiet = muting.applied_to_runs(dataclasses.replace(shown, rows=shown.rows[:1])).rows[0]
    assert plain(message_of(quiet)) == "✓ nothing found, 3 muted"


def test_what_is_muted_is_left_out_of_the_runs_that_are_compared(tmp_path: Path) -> None:
    """And of the diagnosis behind the selected row; a run without muted findings stays the same object."""
    muting, shown = Muting(tmp_path), runs()
    muting.switch(row(0).path, CAUSE.id)
    opened = muting.applied_to_runs(shown).opened
    assert opened[row(0).path].diagnosis.findings == (SYMPTOM, OTHER)
    assert opened[row(1).path] is shown.opened[row(1).path]


def test_a_symptom_whose_cause_is_muted_stands_where_its_own_weight_puts_it(tmp_path: Path) -> None:
    """A critical loss of NaN goes before a warning that has nothing to do with it, in the run and in the table."""
    muting = Muting(tmp_path)
    read = (CAUSE, OTHER, SYMPTOM)  # causes first, as the rules put them
    shown = snapshot(diagnosis=dataclasses.replace(snapshot().diagnosis, findings=read))
    muting.switch(shown.path, CAUSE.id)
    assert muting.applied(shown).findings == (SYMPTOM, OTHER)
    table = dataclasses.replace(runs(), rows=(dataclasses.replace(row(0), findings=read),))
    muting.switch(row(0).path, CAUSE.id)
    assert muting.applied_to_runs(table).rows[0].findings == (SYMPTOM, OTHER)
