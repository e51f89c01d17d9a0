"""`rules`, `explain` and `info` with ``--format json``: documents that programs can read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
CASES = {
    ("rules",): "rules",
    ("explain", "AC01"): "rule",
    ("explain", "he-initialization"): "recipe",
    ("explain", "update_ratio"): "signal",
    ("compare", "sample_logs/overfitting/sick", "sample_logs/overfitting/healthy"): "verdict",
    ("info", "sample_logs/overfitting/sick"): "signals",
    ("info", "sample_logs/nonfinite-loss/sick"): "signals",
}


def run(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "trainhealth", *arguments, "--format", "json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.parametrize("arguments", CASES, ids=" ".join)
def test_the_document_is_versioned_and_documented(arguments: tuple[str, ...]) -> None:
    """Each prints one object with a schema version, and its keys stand in the documentation."""
    document = run(*arguments)
    assert document["schema_version"] == 1
    assert document[CASES[arguments]]
    documentation = (ROOT / "docs" / "json-report.md").read_text()
    assert [key for key in document if f"`{key}`" not in documentation] == []


def test_info_counts_what_is_there() -> None:
    """The numbers are those of the log."""
    document = run("info", "sample_logs/overfitting/sick")
    assert document["last_step"] == 159
    assert document["signals"]["train_loss"] == {"values": 160}
    assert document["run"]["model"] == "Net"
