"""Which findings are muted, and for how long."""

from __future__ import annotations

from pathlib import Path

from tests.tui.cases import CAUSE, OTHER, SYMPTOM, snapshot
from trainhealth.tui.muting import Muting


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
