"""``trainhealth check``: what it prints where, and its exit codes."""

from __future__ import annotations

import json

import pytest

from trainhealth.cli import main

SICK, WARNED, HEALTHY = (2.0, 5000.0), (2.0, 500.0), (2.0, 1.0)


@pytest.mark.parametrize(
    ("losses", "fail_on", "code"),
    [
        (HEALTHY, "warning", 0),
        (WARNED, "critical", 0),
        (WARNED, "warning", 1),
        (SICK, "critical", 1),
        (SICK, "warning", 1),
        (SICK, "never", 0),
    ],
)
def test_the_exit_code_says_whether_there_is_a_finding_at_or_above_fail_on(write_run, losses, fail_on, code):
    """CI refuses what it wants to refuse, and nothing else."""
    assert main(["check", write_run(losses=losses), "--fail-on", fail_on]) == code


def test_by_default_only_critical_findings_fail(write_run):
    """A warning alone does not turn a build red."""
    assert main(["check", write_run("warned", WARNED)]) == 0
    assert main(["check", write_run("sick", SICK)]) == 1


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(lambda path: path.mkdir(), id="folder without a run"),
        pytest.param(lambda path: path.touch(), id="empty file"),
        pytest.param(lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), id="no log"),
        pytest.param(
            lambda path: path.write_text('{"kind":"start","step":0,"time":0.0,"schema_version":99}\n'),
            id="newer schema",
        ),
    ],
)
def test_what_is_no_log_is_an_error_on_stderr_and_exit_code_3(tmp_path, capsys, make):
    """A clear fact with the path in it, no traceback."""
    path = tmp_path / "thing"
    make(path)
    assert main(["check", str(path)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert str(path) in captured.err
    assert "Traceback" not in captured.err


def test_runs_are_reported_in_the_order_given_and_one_bad_path_stops_nothing(write_run, capsys):
    """A lab that checks a thousand runs gets all that can be had; a finding outweighs a log that can't be read."""
    paths = [write_run("b", HEALTHY), "missing", write_run("a", SICK)]
    assert main(["check", *paths]) == 1
    captured = capsys.readouterr()
    assert captured.out.index("b  Net") < captured.out.index("a  Net")
    assert captured.out.endswith("3 runs: 1 with findings, 1 without, 1 could not be read\n")
    assert captured.err.count("error: ") == 1
    assert main(["check", "missing", "b"]) == 3


def test_json_is_the_documented_document(write_run, capsys):
    """An entry a path, in order; a run that can't be read has an error instead of findings."""
    assert main(["check", write_run("a", SICK), "missing", "--format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    sick, missing = document["runs"]
    assert missing == {"path": "missing", "error": "missing: there is no such file or folder"}
    assert sick["path"] == "a"
    assert [finding["id"] for finding in sick["findings"]] == ["ZZ01@run"]
    assert sick["not_checked"][0]["code"] == "ZZ02"


def test_the_printed_json_is_that_of_the_python_interface(write_run, capsys):
    """`trainhealth.check(path).to_json()` and the command line are one diagnosis."""
    from trainhealth.diagnosis import check

    path = write_run(losses=SICK)
    main(["check", path, "--format", "json"])
    assert capsys.readouterr().out == check(path).to_json()


def test_lines_that_could_not_be_read_are_told(write_run, capsys):
    """A corrupt line is never swallowed: the diagnosis rests on the rest of the log."""
    path = write_run(losses=HEALTHY, tail=b"garbage\n{}\n")
    assert main(["check", path]) == 0
    assert f"note: {path}: 2 lines of the log can't be read" in capsys.readouterr().err


def test_a_path_is_needed(capsys):
    """Without one there is nothing to check: a usage error, and how to use it."""
    assert main(["check"]) == 2
    assert "Usage: trainhealth check" in capsys.readouterr().err


def test_help_explains_the_exit_codes(capsys):
    """They are a contract, so they stand where people look."""
    main(["check", "--help"])
    out = capsys.readouterr().out
    assert "1  There is a finding at or above --fail-on." in out
    assert "3  A log can't be read" in out
