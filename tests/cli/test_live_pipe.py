"""``live -``: standard input as a log, and the pipe goes on."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

LOG = b"".join(
    b"Epoch %d/30, train loss: %.4f, val loss: %.4f\n" % (e, 2 / (e + 1), 1 + abs(e - 5) / 5) for e in range(30)
)


@pytest.mark.slow
def test_what_comes_in_goes_out_unchanged_and_is_diagnosed():
    """Without a terminal the report stands on stderr when the input has ended."""
    command = [sys.executable, "-m", "trainhealth", "live", "-"]
    done = subprocess.run(command, input=LOG, capture_output=True, timeout=60, start_new_session=True, check=True)
    assert done.stdout == LOG
    assert b"overfitting" in done.stderr


@pytest.mark.slow
def test_an_empty_pipe_is_a_clear_error():
    """A script that failed before its first line."""
    command = [sys.executable, "-m", "trainhealth", "live", "-"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=60, start_new_session=True, check=False)
    assert done.returncode == 3
    assert b"the log is empty" in done.stderr


@pytest.mark.slow
def test_a_closed_standard_input_is_a_clear_error():
    """Not a defect of ours."""
    command = f"{shlex.quote(sys.executable)} -m trainhealth live - --once <&-"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60, start_new_session=True, check=False)
    assert done.returncode == 2
    assert b"standard input is closed" in done.stderr
