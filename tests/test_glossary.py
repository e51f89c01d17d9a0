"""``docs/glossary.md`` is held to the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainhealth.findings import Confidence, Severity
from trainhealth.signals import SIGNALS, Signal

GLOSSARY = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text()


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
def test_every_signal_stands_in_the_glossary_as_the_code_defines_it(signal: Signal) -> None:
    """Its row has the unit and the meaning of `signals.py`, word for word."""
    assert f"| `{signal.name}` | {signal.unit} | {signal.meaning} |" in GLOSSARY


def test_the_glossary_knows_no_signal_that_the_code_does_not() -> None:
    """A signal that was renamed leaves no ghost behind."""
    rows = [line.split("`")[1] for line in GLOSSARY.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(SIGNALS)


@pytest.mark.parametrize("word", [*Severity, *Confidence])
def test_severities_and_confidences_are_explained(word: str) -> None:
    """Every finding shows one of each."""
    assert word in GLOSSARY
