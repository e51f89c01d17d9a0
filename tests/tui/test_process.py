"""Which processes count as the one that writes a log."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from trainhealth.machine import machine
from trainhealth.series import RunView
from trainhealth.tui.process import Writer, process_alive

NOW = 1.8e9


def writer(*, alive: bool) -> Writer:
    return Writer(lambda pid, wrote: alive, here="here")


def test_this_process_is_alive_and_one_that_has_ended_is_not() -> None:
    """Also while its parent has not asked for its exit code."""
    assert process_alive(os.getpid(), time.time())
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.read()  # it ends with the process, or just before
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process_alive(child.pid, time.time())
    child.wait()
    assert not process_alive(child.pid, time.time())


def test_a_number_that_is_used_again_is_another_process() -> None:
    """This process began long after the log's last record."""
    assert not process_alive(os.getpid(), time.time() - 1e6)


def test_only_the_machine_that_the_log_names_can_tell_that_a_process_is_gone() -> None:
    """Where the log names none, a process that was seen here once was one of this machine."""
    assert writer(alive=False).is_there(RunView(pid=7, host="here", last_time=NOW)) is False
    assert writer(alive=True).is_there(RunView(pid=7, host="here", last_time=NOW)) is True
    assert writer(alive=True).is_there(RunView(pid=7, host="elsewhere", last_time=NOW)) is None
    assert writer(alive=False).is_there(RunView(pid=7, last_time=NOW)) is None
    assert writer(alive=False).is_there(RunView()) is None


def test_a_machine_is_known_by_a_fingerprint_that_does_not_name_it() -> None:
    """Logs are passed on."""
    assert machine() == machine()
    assert os.uname().nodename not in machine()
