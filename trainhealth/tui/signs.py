"""The signs and roles of severities and states: with the word beside them, signs carry what colours carry."""

from __future__ import annotations

from trainhealth.findings import Severity
from trainhealth.tui.snapshot import State

HEALTHY = "✓"
PAUSED = "‖"

_SEVERITIES = {Severity.CRITICAL: "✖", Severity.WARNING: "▲", Severity.NOTE: "●"}
_STATES = {
    State.READING: ("◌", "label"),
    State.WAITING: ("◌", "note"),
    State.LIVE: ("●", "healthy"),
    State.STALLED: ("▲", "warning"),
    State.QUIET: ("■", "label"),
    State.GONE: ("✖", "critical"),
    State.ENDED: ("■", "label"),
    State.REPLAY: ("▶", "note"),
    State.FAILED: ("✖", "critical"),
    State.UNREADABLE: ("✖", "critical"),
    State.BROKEN: ("✖", "critical"),
}


def sign(severity: Severity) -> str:
    """Return the sign of a severity; `Look.text` turns it into an ASCII one where that is needed."""
    return _SEVERITIES[severity]


def state_sign(state: State) -> tuple[str, str]:
    """Return the sign and the role of a state."""
    return _STATES[state]
