"""Alerts for who looks elsewhere: a new critical finding rings the bell, notifies the desktop, or runs a command."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from trainhealth.errors import UsageError
from trainhealth.findings import Finding, Severity
from trainhealth.tui.lines import printable
from trainhealth.tui.snapshot import Snapshot, State

BELL, NOTIFY = "bell", "notify"
COOL_DOWN = 300.0  # seconds from one alert to the next; what is found in between is told then
PATIENCE = 60.0  # seconds after which a command is given up
_TITLE = "trainhealth"


def parse_alerts(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of alerts: "bell", "notify", and commands; "bell,notify" are both.

    Raises:
        UsageError: one is empty.
    """
    kinds: list[str] = []
    for text in texts:
        parts = [part.strip() for part in text.split(",")]
        kinds += parts if set(parts) <= {BELL, NOTIFY, ""} else [text.strip()]
    if "" in kinds:
        raise UsageError("--alert: an alert is empty", f"Name {BELL}, {NOTIFY}, or a command.")
    return tuple(dict.fromkeys(kinds))


class Watch:
    """Decides which findings are new, and when the user is told of them."""

    def __init__(self, cool_down: float = COOL_DOWN, clock: Callable[[], float] = time.monotonic) -> None:
        self._cool_down, self._clock = cool_down, clock
        self._told: set[str] = set()  # ids of findings that need no alert any more
        self._restarts = 0
        self._from_the_beginning = False  # the run began under our eyes
        self._diagnosed = False
        self._quiet_until = -cool_down

    def new(self, snapshot: Snapshot) -> list[Finding]:
        """Return the critical findings that an alert is due for now, in reading order.

        What a log showed already when the dashboard was opened is not new: whoever opened it is looking at it. A
        finding that comes and goes is told once.
        """
        if snapshot.restarts != self._restarts:
            self._restarts = snapshot.restarts
            self._told.clear()
        self._from_the_beginning |= snapshot.condition.state is State.WAITING
        if not snapshot.diagnosed:
            return []
        critical = [finding for finding in snapshot.findings if finding.severity is Severity.CRITICAL]
        if not self._diagnosed and not self._from_the_beginning:
            self._told.update(finding.id for finding in critical)
        self._diagnosed = True
        due = [finding for finding in critical if finding.id not in self._told]
        now = self._clock()
        if not due or now < self._quiet_until:
            return []
        self._told.update(finding.id for finding in due)
        self._quiet_until = now + self._cool_down
        return due


def told(findings: Sequence[Finding], run: str) -> str:
    """Return what an alert says, in one line."""
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return printable(f"{run}: {findings[0].name}{more}: {findings[0].message}")


def desktop_notification(text: str, environment: Mapping[str, str]) -> str:
    """Return the sequence on which this terminal shows a notification; others ignore it.

    OSC 777 is that of urxvt, foot and VTE's terminals, OSC 9 that of iTerm2, kitty, WezTerm, Ghostty and Windows
    Terminal; a terminal that knows both would show two. tmux hands it on where allow-passthrough is on.
    """
    text = printable(text)
    terminal = environment.get("TERM", "")
    if terminal.startswith(("rxvt", "foot")) or environment.get("VTE_VERSION"):
        sequence = f"\x1b]777;notify;{_TITLE};{text.replace(';', ',')}\x07"
    else:
        sequence = f"\x1b]9;{_TITLE}: {text}\x07"
    if environment.get("TMUX"):
        escaped = sequence.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{escaped}\x1b\\"
    return sequence


def variables(findings: Sequence[Finding], run: str, path: str) -> dict[str, str]:
    """Return what a command of the user's gets to know, as environment variables."""
    first = findings[0]
    return {
        "TRAINHEALTH_RUN": run,
        "TRAINHEALTH_PATH": os.path.abspath(path),
        "TRAINHEALTH_COUNT": str(len(findings)),
        "TRAINHEALTH_RULE": first.name,
        "TRAINHEALTH_CODE": first.code,
        "TRAINHEALTH_SEVERITY": str(first.severity),
        "TRAINHEALTH_CONFIDENCE": str(first.confidence),
        "TRAINHEALTH_STEP": str(first.first_step),
        "TRAINHEALTH_MESSAGE": first.message,
        "TRAINHEALTH_ACTION": first.recommendations[0].action if first.recommendations else "",
    }


def run_command(command: str, environment: Mapping[str, str], failed: Callable[[str], None]) -> threading.Thread:
    """Run a command of the user's in a shell, beside the dashboard; `failed` is told what went wrong, in its thread.

    The finding is in environment variables only: nothing out of a log becomes part of a command line.
    """
    thread = threading.Thread(target=_run, args=(command, environment, failed), name="trainhealth-alert", daemon=True)
    thread.start()
    return thread


def _run(command: str, environment: Mapping[str, str], failed: Callable[[str], None]) -> None:
    # nothing of it may be drawn over the dashboard, or wait for a key
    try:
        done = subprocess.run(
            command,
            shell=True,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        failed(f"The alert's command took more than {PATIENCE:.0f} s: {command}")
    except (OSError, ValueError) as error:
        failed(f"The alert's command could not be run: {error}")
    else:
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            failed(f"The alert's command ended with {done.returncode}{f': {said[-1][:200]}' if said else ''}")
