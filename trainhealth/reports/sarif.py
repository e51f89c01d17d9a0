"""SARIF 2.1.0, for code hosts and other tools that collect findings.

Form: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

from trainhealth.diagnosis import Report
from trainhealth.findings import Finding, Severity
from trainhealth.following import EVENTS
from trainhealth.reports.base import Checked, Format
from trainhealth.rules.base import Rule
from trainhealth.rules.engine import all_rules

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}


class SarifFormat(Format):
    """Writes one SARIF run for all that was checked; a result a finding."""

    name = "sarif"

    def write(self, checked: Iterable[Checked], out: TextIO) -> None:
        """Write the document; what can't be read is a notification of the tool."""
        results: list[dict[str, Any]] = []
        notifications: list[dict[str, Any]] = []
        for one in checked:
            if isinstance(one, Report):
                results += [_result(finding, one) for finding in one.findings]
            else:
                notifications.append(_notification(one.path, one.error.message))
        driver = {
            "name": "trainhealth",
            "version": version("trainhealth"),
            "rules": [_rule(rule) for rule in all_rules()],
        }
        invocation = {"executionSuccessful": not notifications, "toolExecutionNotifications": notifications}
        run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
        document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
        out.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def _rule(rule: type[Rule]) -> dict[str, Any]:
    documentation = inspect.getdoc(rule) or ""
    summary = documentation.partition("\n")[0]
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": f"{summary} {_why(documentation)}".rstrip()},
        "help": {"text": documentation},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _why(documentation: str) -> str:
    """Return the first paragraph of why it matters: a description is shown beside a result, and has to be short."""
    for block in documentation.split("\n\n"):
        title, _, text = block.partition("\n")
        if title == "Why it matters":
            return " ".join(text.split())
    return ""


def _result(finding: Finding, report: Report) -> dict[str, Any]:
    advice = " ".join(f"{advice.action} {advice.because}" for advice in finding.recommendations[:1])
    causes = [cause.name for cause in report.findings if cause.id in finding.caused_by]
    if causes:  # what to do is said there
        advice = f"{' and '.join(causes)} {'explains' if len(causes) == 1 else 'explain'} it."
    return {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message} {advice}".rstrip()},
        "locations": [
            {
                # code hosts show a result only if it has a line
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(report.run.path)},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"name": finding.place}],
            }
        ],
        "partialFingerprints": {"finding/v1": f"{report.run.path}#{finding.id}"},
        "properties": finding.to_dict(),
    }


def _notification(path: str, message: str) -> dict[str, Any]:
    location = {"physicalLocation": {"artifactLocation": {"uri": _uri(path)}}}
    return {"level": "error", "message": {"text": message}, "locations": [location]}


def _uri(path: str) -> str:
    """Return the log's place as a relative or file URI: of a run folder, its first file."""
    folder = Path(path)
    logs = sorted(folder.glob(EVENTS)) if folder.is_dir() else []
    target = logs[0] if logs else folder
    return target.as_uri() if target.is_absolute() else quote(os.fsencode(target.as_posix()))
