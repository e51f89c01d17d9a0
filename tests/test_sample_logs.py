"""The sample logs: each sick run has exactly the manifest's findings, its planted illness first; healthy ones none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import trainhealth
from trainhealth.builder import RunBuilder
from trainhealth.readers.trainhealth_jsonl import TrainHealthReader
from trainhealth.records import decode_info
from trainhealth.rules.engine import all_rules, diagnose

FOLDER = Path(__file__).parent.parent / "sample_logs"
RUNS = json.loads((FOLDER / "manifest.json").read_text())["runs"]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["path"])
def test_findings_are_those_of_the_manifest(run: dict[str, Any]) -> None:
    """No more, no less, in this order; the planted illness leads."""
    findings = trainhealth.check(FOLDER / run["path"]).findings
    assert [finding.id for finding in findings] == run["findings"]
    if run["planted"] is None:
        assert findings == ()
    else:
        assert findings[0].name == run["planted"]


@pytest.mark.parametrize("run", [run for run in RUNS if run["planted"]], ids=lambda run: run["path"])
def test_line_by_line_ends_in_the_same_findings(run: dict[str, Any]) -> None:
    """A log that is read while it grows gives, at its end, the same diagnosis as the whole log."""
    folder = FOLDER / run["path"]
    builder, reader = RunBuilder(str(folder)), TrainHealthReader()
    builder.info = decode_info((folder / "run.json").read_bytes(), "run.json")
    for number, line in enumerate((folder / "events-0.jsonl").read_bytes().splitlines(keepends=True)):
        builder.feed(reader.feed(line))
        if number % 100 == 0:
            diagnose(builder.view())  # looking in between changes nothing
    followed = [finding.to_dict() for finding in diagnose(builder.view()).findings]
    assert followed == [finding.to_dict() for finding in trainhealth.check(folder).findings]


def test_every_rule_has_its_pair_and_they_are_small() -> None:
    """Each rule has a sick and a healthy run; none is above 300 kB, all together are below 8 MB."""
    planted = {run["planted"] for run in RUNS}
    assert {rule.name for rule in all_rules()} == planted - {None}
    assert {run["path"] for run in RUNS} == {f"{name}/{state}" for name in planted - {None} for state in ("sick", "healthy")}  # fmt: skip  # noqa: E501
    sizes = [sum(file.stat().st_size for file in (FOLDER / run["path"]).iterdir()) for run in RUNS]
    assert max(sizes) < 300_000
    assert sum(sizes) < 8_000_000
