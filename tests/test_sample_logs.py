"""The sample logs: each run has exactly the findings written down for it, a sick one its illness first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import trainhealth
from trainhealth.builder import RunBuilder
from trainhealth.findings import Severity
from trainhealth.readers.trainhealth_jsonl import TrainHealthReader
from trainhealth.records import decode_info
from trainhealth.rules.engine import ONLY_WATCHED, all_rules, diagnose

FOLDER = Path(__file__).parent.parent / "sample_logs"
FOUND = {
    (document["rule"], state): findings
    for document in (json.loads(file.read_text()) for file in sorted(FOLDER.glob("*/pair.json")))
    for state, findings in document["findings"].items()
}

each_run = pytest.mark.parametrize(("rule", "state"), FOUND, ids=["/".join(run) for run in FOUND])


@each_run
def test_findings_are_those_written_down(rule: str, state: str) -> None:
    """No more, no less, in this order; the planted illness leads; a healthy run has none."""
    findings = trainhealth.check(FOLDER / rule / state).findings
    assert [finding.id for finding in findings] == FOUND[rule, state]
    if state == "healthy":
        assert findings == ()
    else:
        assert findings[0].name == rule


@each_run
def test_line_by_line_ends_in_the_same_findings(rule: str, state: str) -> None:
    """A log that is read while it grows gives, at its end, the same diagnosis as the whole log."""
    folder = FOLDER / rule / state
    builder = RunBuilder(str(folder))
    builder.info = decode_info((folder / "run.json").read_bytes(), "run.json")
    for rank, file in enumerate(sorted(folder.glob("events-*.jsonl"))):
        reader = TrainHealthReader()
        for number, line in enumerate(file.read_bytes().splitlines(keepends=True)):
            builder.feed(reader.feed(line), rank)
            if number % 200 == 0:
                diagnose(builder.view())  # looking in between changes nothing
    followed = [finding.to_dict() for finding in diagnose(builder.view()).findings]
    assert followed == [finding.to_dict() for finding in trainhealth.check(folder).findings]


def test_every_rule_has_its_pair_and_they_are_small() -> None:
    """Each rule has a sick and a healthy run, without exception; none is above 300 kB, all are below 8 MB."""
    assert {(rule.name, state) for rule in all_rules() for state in ("sick", "healthy")} == FOUND.keys()
    sizes = [sum(file.stat().st_size for file in (FOLDER / rule / state).iterdir()) for rule, state in FOUND]
    assert max(sizes) < 300_000
    assert sum(sizes) < 8_000_000


CURVE_RULES = {"LS01", "LS02", "LS03", "LS04", "LS05", "LS06", "LS08", "OP01", "OP04"}


@pytest.mark.parametrize("rule", sorted({rule for rule, _ in FOUND}))
def test_a_column_of_losses_is_enough_for_the_rules_of_curves(rule: str, tmp_path: Path) -> None:
    """Of a healthy run's losses alone they say nothing bad; what needs more says that only `watch` measures it."""
    losses = trainhealth.load(FOLDER / rule / "healthy").view.series("train_loss")
    rows = [f"{step},{loss}\n" for step, loss in zip(losses.steps, losses.values, strict=True)]
    (tmp_path / "loss.csv").write_text("step,loss\n" + "".join(rows))
    report = trainhealth.check(tmp_path / "loss.csv")
    assert all(found.severity is Severity.NOTE for found in report.findings)
    assert not CURVE_RULES & {item.code for item in report.not_checked}
    assert sum(item.because == ONLY_WATCHED for item in report.not_checked) > 40
