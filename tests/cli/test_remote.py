"""Paths with ``://``: what is brought here, under which name it is reported, and what is said where it can't be."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import fsspec
import pytest

from trainhealth.cli import main
from trainhealth.cli.remote import runs_brought
from trainhealth.errors import LogError, UsageError

TABLE = "epoch,loss\n" + "".join(f"{epoch},{2 / (epoch + 1)}\n" for epoch in range(9))


@pytest.fixture
def memory():
    """A file system that is not this machine's."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def uploaded(memory, run: str, place: str) -> str:
    """Put a run folder there, and return its address."""
    memory.put(run, place, recursive=True)
    return f"memory://{place}"


def report(arguments: list[str], capsys) -> tuple[int, dict]:
    code = main(["check", *arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_folder_gives_what_it_gives_here(write_run, memory, capsys):
    """The same findings and exit code, under the address that was named."""
    run = write_run(losses=(2.0, 5000.0))
    address = uploaded(memory, run, "/lab/run")
    code, here = report([run], capsys)
    renamed = json.dumps(here).replace(f'"{run}"', f'"{address}"').replace(f'"{run}: ', f'"{address}: ')
    assert report([address], capsys) == (code, json.loads(renamed))
    assert code == 1


def test_a_single_file_and_file_addresses_are_taken(tmp_path, memory, capsys):
    """Also where the name has a space."""
    (tmp_path / "my log.csv").write_text(TABLE)
    memory.pipe("/logs/log.csv", TABLE.encode())
    addresses = [f"file://{tmp_path}/my log.csv", "memory://logs/log.csv"]
    code, document = report(addresses, capsys)
    assert code == 0
    assert [run["path"] for run in document["runs"]] == addresses


def test_folders_and_patterns_are_the_runs_below(write_run, memory, capsys):
    """In order of their names, each with its own address, and in their places between paths of this machine."""
    here = write_run("here")
    for name in ("b", "a"):
        uploaded(memory, write_run(name), f"/lab/{name}")
    _, document = report(["memory://lab/", here, "memory://lab/[ab]"], capsys)
    names = [run["path"] for run in document["runs"]]
    assert names == ["memory://lab/a", "memory://lab/b", here, "memory:///lab/a", "memory:///lab/b"]


def test_a_database_comes_with_its_write_ahead_log(tmp_path, memory, capsys):
    """Where its tracker is still writing, most of the run stands there."""
    with closing(sqlite3.connect(tmp_path / "project.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE metrics (timestamp, run_name, step, metrics)")
        rows = [("2026-11-21T08:00:00", "a", step, json.dumps({"train/loss": 2 / (step + 1)})) for step in range(9)]
        database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?)", rows)
        database.commit()
        for file in ("project.db", "project.db-wal"):
            memory.pipe(f"/lab/{file}", (tmp_path / file).read_bytes())
    for address in ("memory://lab/project.db", "memory://lab"):
        code, document = report([address], capsys)
        assert (code, [run["path"] for run in document["runs"]]) == (0, ["memory://lab/project.db"])


def test_only_what_may_be_a_log_is_brought(write_run, memory):
    """Weights may be many gigabytes; what is hidden, or would lie outside of the folder, is left where it is."""
    address = uploaded(memory, write_run(), "/lab/run")
    for name in ("best.pt", "figure.png", ".cache/log.csv", "../outside.csv"):
        memory.store[f"/lab/run/{name}"] = memory.store["/lab/run/run.json"]
    memory.pipe("/lab/run/metrics/loss", b"1 2 3\n")  # MLflow's have no suffix
    with ExitStack() as stack:
        [(run, _)] = runs_brought(address, stack)
        found = {str(file.relative_to(run)) for file in Path(run).parent.rglob("*") if file.is_file()}
    assert found == {"run.json", "events-0.jsonl", "metrics/loss"}
    assert not Path(run).exists()


@pytest.mark.parametrize(
    ("address", "fact"),
    [
        ("memory://lab/missing", "there is no such file or folder"),
        ("memory://lab/*.csv", "nothing matches this pattern"),
        ("memory://lab", "there is no run here"),
        ("nosuch://lab", "can't be read (ValueError: "),
    ],
)
def test_what_is_not_there_is_said_with_its_address(memory, address, fact, capsys):
    """As for paths of this machine: on stderr, with exit code 3; no temporary folder is named."""
    memory.pipe("/lab/notes.md", b"nothing")
    assert main(["check", address]) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"error: {address}: {fact}")
    assert "trainhealth-" not in err


def test_a_file_that_is_no_log_is_named_by_its_address(memory, capsys):
    """Not by where it was brought to."""
    memory.pipe("/lab/thing.csv", b"\x89PNG\r\n\x1a\n")
    assert main(["check", "memory://lab/thing.csv"]) == 3
    assert capsys.readouterr().err.startswith("error: memory://lab/thing.csv: ")


def test_one_that_fails_hides_nothing_of_the_others(write_run, memory, capsys):
    """It stands in its place."""
    code, document = report(["memory://lab/missing", write_run()], capsys)
    assert code == 3
    assert ["error" in run for run in document["runs"]] == [True, False]


def test_a_server_that_fails_is_an_error_of_that_path(memory, monkeypatch):
    """Each file system has errors of its own."""

    def refused(*args, **kwargs):
        raise ConnectionResetError("by peer")

    memory.pipe("/lab/log.csv", TABLE.encode())
    monkeypatch.setattr(type(memory), "get", refused)
    with ExitStack() as stack, pytest.raises(LogError, match=r"memory://lab/log.csv: can't be read \(ConnectionReset"):
        runs_brought("memory://lab/log.csv", stack)


def test_what_to_install_is_said(monkeypatch):
    """fsspec itself, or what it needs for one file system."""
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with ExitStack() as stack, pytest.raises(UsageError, match=r"ssh://host/log\.csv: .*paramiko") as package:
        runs_brought("ssh://host/log.csv", stack)
    assert "package that fsspec needs" in package.value.hint
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with ExitStack() as stack, pytest.raises(UsageError, match="needs the package fsspec") as fsspec_itself:
        runs_brought("memory://lab", stack)
    assert "trainhealth[remote]" in fsspec_itself.value.hint
