"""From a path to a run: what is found, and clear errors for what is no run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import trainhealth
from trainhealth import LogError, TrainHealthError
from trainhealth.diagnosis import report_json
from trainhealth.records import EndRecord, RunInfo, StartRecord, encode, encode_info, encode_step

START = encode(StartRecord(step=0, time=0.0, pid=1))
LOG = START + b"".join(encode_step(i, float(i), 2.0 - i / 10) for i in range(5)) + encode(EndRecord(step=5, time=5.0))


def _run(folder: Path, log: bytes = LOG) -> Path:
    folder.mkdir(parents=True)
    (folder / "run.json").write_bytes(encode_info(RunInfo(name=folder.name)))
    (folder / "events-0.jsonl").write_bytes(log)
    return folder


def _error(path: str | os.PathLike[str]) -> LogError:
    with pytest.raises(LogError) as raised:
        trainhealth.load(path)
    assert isinstance(raised.value, TrainHealthError)
    assert raised.value.hint
    assert str(path) in raised.value.message
    return raised.value


# --- what is a run ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "events-0.jsonl", "run.json"], ids=["folder", "event file", "run.json"])
def test_a_run_is_named_by_its_folder_or_a_file_in_it(tmp_path: Path, name: str) -> None:
    """Whatever a shell's completion stops at."""
    path = _run(tmp_path / "base") / name
    run = trainhealth.load(str(path))
    assert run.view.last_step == 4
    assert run.view.info.name == "base"
    assert run.path == str(path)


def test_a_run_without_run_json_is_a_run(tmp_path: Path) -> None:
    """The numbers are in the events."""
    (_run(tmp_path / "base") / "run.json").unlink()
    assert trainhealth.load(tmp_path / "base").view.last_step == 4


def test_a_renamed_log_is_recognised_by_its_content(tmp_path: Path) -> None:
    """Also one without a line's end, which nobody will add any more."""
    path = tmp_path / "yesterday.txt"
    path.write_bytes(START[:-1])
    assert "the log is empty" in _error(path).message
    path.write_bytes(LOG)
    assert trainhealth.load(path).view.last_step == 4


def test_a_run_that_has_only_begun_can_be_loaded(tmp_path: Path) -> None:
    """There is nothing to say of it yet, which is not an error."""
    assert trainhealth.load(_run(tmp_path / "base", START)).view.last_step == -1


def test_a_torn_last_line_is_no_fault(tmp_path: Path) -> None:
    """Of a run that was killed, or that is still writing."""
    view = trainhealth.load(_run(tmp_path / "base", LOG + b'{"kind":"step","st')).view
    assert view.skipped == ()
    assert view.last_step == 4


def test_corrupt_lines_are_in_the_view(tmp_path: Path) -> None:
    """And everything around them is read."""
    view = trainhealth.load(_run(tmp_path / "base", START + b"junk\n" + LOG)).view
    assert [line.line for line in view.skipped] == [2]
    assert view.last_step == 4


def test_the_run_as_tables(tmp_path: Path) -> None:
    """The same as the view's."""
    assert trainhealth.load(_run(tmp_path / "base")).to_pandas()["train_loss"].tolist() == pytest.approx(
        [2, 1.9, 1.8, 1.7, 1.6]
    )


# --- what is no run ---------------------------------------------------------------------------------------------------


def test_a_path_that_is_missing(tmp_path: Path) -> None:
    """Also below a file."""
    assert "there is no such file or folder" in _error(tmp_path / "nowhere").message
    (tmp_path / "file").touch()
    assert "there is no such file or folder" in _error(tmp_path / "file" / "below").message


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    """The message says what was looked for."""
    assert "holds no run (no run.json, no events-*.jsonl)" in _error(tmp_path).message


def test_a_folder_of_runs_names_them(tmp_path: Path) -> None:
    """Ready to be pasted into the shell, also with a space in the name."""
    for name in ("a", "b b", "c", "d"):
        _run(tmp_path / "runs" / name)
    (tmp_path / "runs" / "d" / "run.json").unlink()
    error = _error(tmp_path / "runs")
    assert "is no run, but holds 4" in error.message
    assert error.hint == f"Name one: {tmp_path}/runs/a '{tmp_path}/runs/b b' {tmp_path}/runs/c …"


@pytest.mark.parametrize("name", ["events-0.jsonl", "log.txt"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    """Nothing has been written: it may be too early."""
    (tmp_path / name).touch()
    assert "the log is empty" in _error(tmp_path / name).message


def test_a_folder_with_empty_event_files(tmp_path: Path) -> None:
    """A run whose process died at once."""
    assert "the log is empty" in _error(_run(tmp_path / "base", b"")).message


def test_a_log_that_is_one_torn_line(tmp_path: Path) -> None:
    """The message says that there is something."""
    message = _error(_run(tmp_path / "base", START[:30])).message
    assert message.endswith("only 30 bytes of an unfinished line")


@pytest.mark.parametrize("content", [b"hello\nworld\n", b"hello"])
def test_a_text_that_is_no_log(tmp_path: Path, content: bytes) -> None:
    """It says what was looked for, and as what."""
    (tmp_path / "notes.txt").write_bytes(content)
    error = _error(tmp_path / "notes.txt")
    assert "no loss and no accuracy was found (read as text)" in error.message
    assert "--map" in error.hint


def test_words_of_sentences_are_not_offered_as_the_loss(tmp_path: Path) -> None:
    """They stand before numbers, too."""
    path = tmp_path / "notice.txt"
    path.write_text("Version 2.0, January 2004\n" * 4)
    assert "among" not in _error(path).message


def test_a_text_whose_numbers_have_names_that_nobody_knows(tmp_path: Path) -> None:
    """They are named, with the way to say which of them is the loss."""
    path = tmp_path / "vae.txt"
    path.write_text("".join(f"Epoch {n}: Rec=0.{9 - n}, KL={n}.5, Total={n}.25\n" for n in range(1, 5)))
    error = _error(path)
    assert error.message.endswith("among Rec, KL, Total; line 1 is 'Epoch 1: Rec=0.8, KL=1.5, Total=1.25'")
    assert error.hint.endswith("--map train_loss=Total")
    assert len(trainhealth.load(path, names={"train_loss": "Total"}).view.series("train_loss")) == 4


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"\0" * 9000])
def test_a_file_that_is_no_log(tmp_path: Path, content: bytes) -> None:
    """It says how the file begins, and which formats are known."""
    (tmp_path / "notes.txt").write_bytes(content)
    error = _error(tmp_path / "notes.txt")
    assert "not a log of a known format" in error.message
    assert "trainhealth" in error.hint


def test_a_log_of_which_no_line_can_be_read(tmp_path: Path) -> None:
    """Its name is right and its content is not: how many lines, and what is wrong with the first."""
    message = _error(_run(tmp_path / "base", b"hello\nworld\n")).message
    assert "none of 2 lines can be read; line 1: not a JSON object" in message


def test_a_log_of_a_newer_schema(tmp_path: Path) -> None:
    """Of a start record or of run.json: file and versions."""
    newer = b'{"kind":"start","step":0,"time":0,"schema_version":7}\n'
    error = _error(_run(tmp_path / "a", newer))
    assert "events-0.jsonl: line 1: the log has schema version 7, this trainhealth reads up to 1" in error.message
    (_run(tmp_path / "b") / "run.json").write_bytes(b'{"schema_version": 7}')
    error = _error(tmp_path / "b")
    assert "run.json: the log has schema version 7" in error.message
    assert "--upgrade" in error.hint


def test_a_broken_run_json(tmp_path: Path) -> None:
    """The file is named, and the way on without it."""
    (_run(tmp_path / "base") / "run.json").write_bytes(b"{")
    assert "run.json: not a run.json" in _error(tmp_path / "base").message


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """Reading from it would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in _error(tmp_path / "pipe").message


@pytest.mark.parametrize("folder", [True, False], ids=["folder", "path"])
def test_what_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool) -> None:
    """A folder without permission to look into, or a path through one."""
    if folder:
        monkeypatch.setattr(os, "access", lambda *_: False)
    else:

        def refuse(self: Path, **_: object) -> os.stat_result:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "stat", refuse)
    assert "permission denied" in _error(tmp_path).message.lower()


# --- the report -------------------------------------------------------------------------------------------------------


def test_a_path_and_a_loaded_run_give_the_same_report(tmp_path: Path) -> None:
    """`check` loads what is not loaded."""
    path = _run(tmp_path / "base")
    assert trainhealth.check(path).to_json() == trainhealth.check(trainhealth.load(str(path))).to_json()


def test_the_json_of_a_report(tmp_path: Path) -> None:
    """Its keys are a contract; one run is a list of one."""
    report = trainhealth.check(_run(tmp_path / "base"))
    document = json.loads(report.to_json())
    assert set(document) == {"schema_version", "runs"}
    assert document["schema_version"] == 1
    [entry] = document["runs"]
    assert set(entry) == {"path", "findings", "not_checked"}
    assert entry["path"] == str(tmp_path / "base")
    assert len(entry["findings"]) == len(report.findings)
    assert len(entry["not_checked"]) == len(report.not_checked)
    assert report_json([report.entry]) == report.to_json()


def test_what_lacks_a_signal_is_not_checked_rather_than_healthy(tmp_path: Path) -> None:
    """Silence would read as health."""
    report = trainhealth.check(_run(tmp_path / "base"))
    assert all(item.because and item.code for item in report.not_checked)
    assert "AC01" in {item.code for item in report.not_checked}
