"""What the tests of reports share: a terminal that is the same for everybody, and a known set of rules."""

from __future__ import annotations

import pytest

from trainhealth.reports import text
from trainhealth.rules.base import Rule


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal of whoever runs the tests must not show in what they compare."""
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(autouse=True)
def _four_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A healthy run says how many rules on which topics found nothing: here four on three."""
    known = [("LS01", "loss"), ("GE01", "generalization"), ("GE02", "generalization"), ("AC02", "activations")]
    rules = tuple(type(code, (Rule,), {"code": code, "topic": topic}) for code, topic in known)
    monkeypatch.setattr(text, "all_rules", lambda: rules)
