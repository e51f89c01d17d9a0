"""What comes out of a log while it grows: snapshots and states. Clocks and files are given; nobody sleeps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from trainhealth import plugins
from trainhealth.machine import machine
from trainhealth.records import EndRecord, Record, RunInfo, StartRecord, StepRecord, encode, encode_info
from trainhealth.rules import engine
from trainhealth.tui import failures
from trainhealth.tui.budget import LONGEST_WAIT
from trainhealth.tui.frame import newest_snapshot
from trainhealth.tui.reading import RETRY, Reading
from trainhealth.tui.snapshot import STALLED_AFTER, Snapshot, State

EPOCH = 1_700_000_000.0  # the wall clock when a test begins


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return EPOCH + self.now - 1000.0


class Log:
    """A run folder that a test writes, and the reading that follows it."""

    def __init__(self, folder: Path, clock: Clock, living: set[int]) -> None:
        self.folder, self.clock = folder, clock
        self.events = folder / "events-0.jsonl"
        self.reading = Reading(folder, clock=clock, wall=clock.wall, alive=lambda pid, _: pid in living)
        self.step = 0

    def begin(self, pid: int = 0, host: str = "") -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "run.json").write_bytes(encode_info(RunInfo(name="run")))
        self.write(StartRecord(step=0, time=self.clock.wall(), pid=pid, host=host))

    def write(self, *records: Record) -> None:
        with self.events.open("ab") as file:
            file.write(b"".join(map(encode, records)))

    def train(self, steps: int) -> None:
        numbers = range(self.step, self.step + steps)
        self.write(*(StepRecord(step=k, time=self.clock.wall(), train_loss=1.0) for k in numbers))
        self.step += steps

    def newest(self) -> Snapshot | None:
        """Return the last of the snapshots that come until nothing more does."""
        newest = None
        while (snapshot := self.reading.turn()) is not None:
            newest = snapshot
        return newest


@pytest.fixture
def living() -> set[int]:
    """The processes of this machine."""
    return set()


@pytest.fixture
def log(tmp_path: Path, living: set[int], monkeypatch: pytest.MonkeyPatch) -> Log:
    """A run that does not exist yet."""
    monkeypatch.setattr(failures.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Log(tmp_path / "run", Clock(), living)


def test_a_run_that_is_not_there_yet_is_waited_for(log: Log) -> None:
    """The dashboard may be opened before the training begins."""
    waiting = log.newest()
    assert waiting is not None
    assert waiting.condition.state is State.WAITING
    assert str(log.folder) in waiting.condition.text
    assert log.newest() is None
    log.begin()
    log.train(3)
    live = log.newest()
    assert live is not None
    assert live.condition.state is State.LIVE
    assert live.view.last_step == 2


def test_the_curves_come_before_the_first_diagnosis(log: Log) -> None:
    """Importing the rules takes time in which a person could see something already."""
    log.begin()
    log.train(3)
    first = log.reading.turn()
    assert first is not None
    assert (first.view.last_step, first.diagnosed) == (2, False)
    assert log.reading.eager
    second = log.reading.turn()
    assert second is not None
    assert (second.view.last_step, second.diagnosed, second.rules) == (2, True, len(engine.all_rules()))
    assert not log.reading.eager


def test_nothing_new_is_no_snapshot(log: Log) -> None:
    """Drawing costs; a screen that would not change is not drawn."""
    log.begin()
    log.train(3)
    log.newest()
    log.clock.now += 1.0
    assert log.reading.turn() is None
    log.train(1)
    snapshot = log.reading.turn()
    assert snapshot is not None
    assert snapshot.view.last_step == 3


def test_a_turn_that_may_not_look_keeps_the_news_for_later(log: Log) -> None:
    """The budget decides when there is a new snapshot; nothing is lost until then."""
    log.begin()
    log.train(3)
    log.newest()
    log.train(2)
    assert log.reading.turn(may_look=False) is None
    snapshot = log.reading.turn()
    assert snapshot is not None
    assert snapshot.view.last_step == 4


def test_silence_becomes_a_stall_and_a_record_ends_it(log: Log) -> None:
    """By our own clock since the last record: the clock of the machine that trains may be off."""
    log.begin()
    log.train(30)
    log.newest()
    log.clock.now += STALLED_AFTER + 1
    stalled = log.reading.turn()
    assert stalled is not None
    assert stalled.condition.state is State.STALLED
    log.train(1)
    live = log.newest()
    assert live is not None
    assert live.condition.state is State.LIVE
    log.clock.now += 1.5 * STALLED_AFTER  # a pause as long as it has made before is none
    assert log.reading.turn() is None


def test_an_old_log_is_stalled_from_the_start(log: Log) -> None:
    """How old it is when it is opened, only its own times can tell."""
    log.begin()
    log.train(30)
    log.clock.now += 3600
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.condition.state is State.STALLED
    assert "for 1 h" in snapshot.condition.text


def test_a_log_from_the_future_is_live(log: Log) -> None:
    """Clocks of two machines differ; a stall is seen all the same."""
    log.begin()
    log.write(
        StepRecord(step=0, time=EPOCH + 7200, train_loss=1.0), StepRecord(step=1, time=EPOCH + 7201, train_loss=1.0)
    )
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.condition.state is State.LIVE
    log.clock.now += STALLED_AFTER + 1
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.condition.state is State.STALLED


def test_a_process_that_was_seen_alive_and_is_gone_is_reported(log: Log, living: set[int]) -> None:
    """kill -9 leaves a log without an end."""
    living.add(4242)
    log.begin(pid=4242)
    log.train(3)
    log.newest()
    living.clear()
    log.clock.now += 6.0
    snapshot = log.reading.turn()
    assert snapshot is not None
    assert snapshot.condition.state is State.GONE
    assert "4242" in snapshot.condition.text


def test_a_process_that_ends_its_log_is_not_gone_while_that_waits_for_a_look(log: Log, living: set[int]) -> None:
    """The end is read and not yet shown: the process, which has ended by then, was not killed."""
    living.add(4242)
    log.begin(pid=4242)
    log.train(3)
    log.newest()
    log.write(EndRecord(step=3, time=log.clock.wall()))
    living.clear()
    assert log.reading.turn(may_look=False) is None
    log.clock.now += 6.0
    assert log.reading.turn(may_look=False) is None
    snapshot = log.reading.turn()
    assert snapshot is not None
    assert snapshot.condition.state is State.ENDED


def test_a_process_that_was_never_seen_may_run_elsewhere(log: Log) -> None:
    """The log of another machine names a process that this one does not have: that is no proof of anything."""
    log.begin(pid=4242)
    log.train(3)
    log.newest()
    log.clock.now += 20.0
    assert log.reading.turn() is None


def test_a_process_of_this_machine_that_is_gone_is_reported_at_once(log: Log, living: set[int]) -> None:
    """The log says on which machine it was written; nobody need have seen the process."""
    log.begin(pid=4242, host=machine())
    log.train(3)
    log.clock.now += 6.0
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.condition.state is State.GONE


def test_a_process_of_another_machine_may_be_there_whatever_has_its_number_here(log: Log, living: set[int]) -> None:
    """Numbers of processes mean nothing across machines."""
    living.add(4242)
    log.begin(pid=4242, host="another")
    log.train(3)
    log.newest()
    living.clear()
    log.clock.now += 6.0
    assert log.reading.turn() is None


def test_the_end_of_a_run_is_its_state(log: Log) -> None:
    """However long it is looked at afterwards."""
    log.begin()
    log.train(3)
    log.write(EndRecord(step=3, time=log.clock.wall()))
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.condition.state is State.ENDED
    log.clock.now += 1e5
    assert log.reading.turn() is None


def test_a_truncated_log_is_read_anew_and_said_to_be(log: Log) -> None:
    """A second training into the same file: nothing of the first may be left on the screen."""
    log.begin()
    log.train(30)
    log.newest()
    log.events.write_bytes(b"")
    log.step = 0
    log.write(StartRecord(step=0, time=log.clock.wall()))
    log.train(2)
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.restarts == 1
    assert snapshot.view.last_step == 1


def foreign_log(folder: Path, clock: Clock, age: float) -> tuple[Path, Reading]:
    """Return a log of another tool that was written last `age` seconds ago, and the reading that follows it."""
    path = folder / "history.csv"
    path.write_text("epoch,loss,val_loss\n0,2.3,2.2\n1,2.1,2.0\n2,1.9,1.9\n")
    os.utime(path, (clock.wall() - age, clock.wall() - age))
    return path, Reading(path, clock=clock, wall=clock.wall)


def test_a_log_of_another_tool_that_was_finished_long_ago_is_not_live(tmp_path: Path) -> None:
    """It has no end record and no times: how old its file is tells."""
    _, reading = foreign_log(tmp_path, Clock(), age=7200.0)
    finished = newest_snapshot(reading)
    assert finished.condition.state is State.QUIET
    assert "no new record for 2 h" in finished.condition.text


def test_a_log_of_another_tool_that_grows_is_live_again(tmp_path: Path) -> None:
    """Epochs may take long: once it was seen to grow, silence has to last longer."""
    clock = Clock()
    path, reading = foreign_log(tmp_path, clock, age=300.0)
    assert newest_snapshot(reading).condition.state is State.QUIET
    with path.open("a") as file:
        file.write("3,1.8,1.8\n")
    assert newest_snapshot(reading).condition.state is State.LIVE
    clock.now += 300.0
    assert reading.turn() is None
    clock.now += 400.0
    assert newest_snapshot(reading).condition.state is State.QUIET


def test_an_unreadable_log_is_a_state_and_is_tried_again(log: Log) -> None:
    """The message says what it is and the hint what to do; what was read before stays on the screen."""
    log.folder.mkdir()
    log.events.write_bytes(b'{"kind":"start","step":0,"time":1.0,"schema_version":99}\n')
    broken = log.newest()
    assert broken is not None
    assert broken.condition.state is State.UNREADABLE
    assert "schema version 99" in broken.condition.text
    assert "upgrade" in broken.condition.hint
    log.events.unlink()
    log.begin()
    log.train(3)
    assert log.newest() is None  # not yet
    log.clock.now += RETRY
    repaired = log.newest()
    assert repaired is not None
    assert repaired.condition.state is State.LIVE
    assert repaired.view.last_step == 2


def test_a_log_that_is_deleted_is_gone_and_stays_on_the_screen(log: Log) -> None:
    """It was there: who waits for it to come is told something else."""
    log.begin()
    log.train(3)
    log.newest()
    shutil.rmtree(log.folder)
    gone = log.newest()
    assert gone is not None
    assert gone.condition.state is State.WAITING
    assert gone.condition.text.endswith(" is gone")
    assert gone.view.last_step == 2


def test_an_exception_of_ours_is_a_state_and_a_file(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback on the screen; the file that has it is named, and written once however often it happens."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr("trainhealth.rules.engine.diagnose", fail)
    log.begin()
    log.train(3)
    broken = log.newest()
    assert broken is not None
    assert broken.condition.state is State.BROKEN
    assert "ZeroDivisionError: by accident" in broken.condition.text
    assert broken.view.last_step == 2
    path = Path(broken.condition.text.rpartition(" ")[2])
    for _ in range(3):
        log.clock.now += RETRY
        log.newest()
    assert path.read_text().count("Traceback") == 1


def test_rules_that_cost_much_run_less_often(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The curves go on; the diagnosis follows when it has been earned."""
    times = iter(range(0, 100, 3))  # every diagnosis takes three seconds of processor time
    monkeypatch.setattr("trainhealth.tui.reading.time.thread_time", lambda: next(times))
    log.begin()
    log.train(3)
    first = log.newest()
    assert first is not None
    log.train(1)
    second = log.newest()
    assert second is not None
    assert second.view.last_step == 3
    assert second.diagnosis is first.diagnosis
    log.clock.now += 2 * LONGEST_WAIT
    third = log.newest()
    assert third is not None
    assert third.diagnosis is not first.diagnosis


def test_no_rules_at_all_are_no_health(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation has no findings either."""
    monkeypatch.setattr(plugins, "load", lambda group: () if group == "trainhealth.rules" else _readers())
    log.begin()
    log.train(3)
    snapshot = log.newest()
    assert snapshot is not None
    assert snapshot.rules == 0


def _readers() -> tuple[object, ...]:
    from trainhealth.readers import builtin

    return tuple(builtin())


def test_a_document_without_a_line_end_is_read(tmp_path: Path) -> None:
    """A JSON history has one line and no end of it: after half a second it is taken for what it looks like."""
    log, clock = tmp_path / "history.json", Clock()
    log.write_text('{"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.6, 0.4]}')
    reading = Reading(log, clock=clock, wall=clock.wall)
    first = reading.turn()
    assert first is not None
    assert len(first.view.series("train_loss")) == 0
    clock.now += 1.0
    second = reading.turn()
    assert second is not None
    assert second.view.series("train_loss").values.tolist() == [1.0, 0.5, 0.3]
