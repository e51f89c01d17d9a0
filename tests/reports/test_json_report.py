"""The JSON report: a contract with other people's programs."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from pathlib import Path

from tests.reports.diagnoses import NONFINITE, NOT_CHECKED, RATE_TOO_HIGH, report
from trainhealth import plugins
from trainhealth.errors import LogError
from trainhealth.findings import Reference
from trainhealth.reports.base import Unreadable
from trainhealth.reports.json_report import JsonFormat


def test_the_document_has_the_documented_keys_and_no_others() -> None:
    """Keys may be added with thought, and never go."""
    out = io.StringIO()
    unreadable = Unreadable("runs/x", LogError("runs/x: gone", "Look elsewhere."))
    JsonFormat().write([report(RATE_TOO_HIGH, NONFINITE, not_checked=NOT_CHECKED), unreadable], out)
    document = json.loads(out.getvalue())
    assert list(document) == ["schema_version", "runs"]
    run, error = document["runs"]
    assert list(run) == ["path", "findings", "not_checked"]
    assert error == {"path": "runs/x", "error": "runs/x: gone"}
    assert run["findings"][0] == {
        "id": "OP01@features.0.weight",
        "code": "OP01",
        "name": "learning-rate-too-high",
        "severity": "critical",
        "confidence": "likely",
        "message": RATE_TOO_HIGH.message,
        "first_step": 4,
        "evidence": run["findings"][0]["evidence"],
        "recommendations": run["findings"][0]["recommendations"],
        "references": [],
        "caused_by": [],
    }
    assert run["findings"][0]["evidence"][0] == {
        "signal": "update_ratio",
        "place": "features.0.weight",
        "first_step": 4,
        "last_step": 16,
        "observed": 0.31,
        "expected": "about 0.001",
        "location": "",
    }
    first, second = run["findings"][0]["recommendations"]
    assert list(first) == ["action", "because", "verify", "risk", "recipe", "change"]
    assert first["change"] == {"parameter": "learning_rate", "from": 0.5, "to": 0.005}
    assert second["change"] is None
    assert run["findings"][1]["evidence"][0]["observed"] == "NaN"
    assert run["not_checked"][0] == {"code": "GE01", "name": "overfitting", "because": NOT_CHECKED[0].because}


def test_json_is_the_same_bytes_whatever_the_terminal_speaks() -> None:
    """A document must not depend on the locale, and a file name need not be valid UTF-8."""
    written = []
    for encoding in ("ascii", "latin-1", "utf-8"):
        buffer = io.BytesIO()
        out = io.TextIOWrapper(buffer, encoding=encoding)
        JsonFormat().write([report(path="runs/caf\udce9", not_checked=NOT_CHECKED)], out)
        out.flush()
        written.append(buffer.getvalue())
    assert len(set(written)) == 1
    run = json.loads(written[0])["runs"][0]
    assert os.fsencode(run["path"]) == b"runs/caf\xe9"
    assert run["not_checked"][0]["because"] == NOT_CHECKED[0].because


def test_formats_come_through_the_door_that_plugins_use() -> None:
    """Built-in formats have no list of their own: the entry point group finds the files."""
    assert {part.name for part in plugins.load("trainhealth.reports")} >= {"text", "json"}


def test_the_example_in_the_documentation_has_the_keys_of_a_real_document() -> None:
    """`docs/json-report.md` is what people write their programs by."""
    text = (Path(__file__).parents[2] / "docs" / "json-report.md").read_text()
    example = json.loads(text.split("```json\n")[1].split("```")[0])
    out = io.StringIO()
    unreadable = Unreadable("runs/x", LogError("runs/x: gone"))
    finding = dataclasses.replace(RATE_TOO_HIGH, references=(Reference("A book", "A claim"),))
    JsonFormat().write([report(finding, not_checked=NOT_CHECKED), unreadable], out)
    assert _keys(example) == _keys(json.loads(out.getvalue()))


def _keys(value: object) -> set[str]:
    """Return the paths of all keys, such as ``runs/findings/code``."""
    if isinstance(value, dict):
        return set(value) | {f"{key}/{below}" for key, one in value.items() for below in _keys(one)}
    return {key for one in value for key in _keys(one)} if isinstance(value, list) else set()
