"""Markdown, for issues, pull requests and notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TextIO

from trainhealth.diagnosis import Report
from trainhealth.findings import Finding, Recommendation
from trainhealth.recipes.lectures import in_full
from trainhealth.reports.advice import advised
from trainhealth.reports.base import Checked, Format
from trainhealth.reports.facts import place_and_steps, reasons, run_facts
from trainhealth.reports.folding import Illness, fold
from trainhealth.reports.pictures import picture
from trainhealth.rules.base import number

WIDTH = 90  # columns of a picture


class MarkdownFormat(Format):
    """Writes a section a run: causes first, the symptoms under them."""

    name = "markdown"

    def write(self, checked: Iterable[Checked], out: TextIO) -> None:
        """Write each run as soon as it is diagnosed."""
        for one in checked:
            lines = _run(one) if isinstance(one, Report) else _unreadable(one.path, one.error.message)
            out.write("\n".join(lines) + "\n\n")


def _unreadable(path: str, reason: str) -> list[str]:
    return [f"## {escaped(path)}", "", f"**Could not be read:** {escaped(reason)}"]


def _run(report: Report) -> list[str]:
    lines = [f"## {escaped(report.run.path)}", "", escaped(run_facts(report.run.view)), ""]
    if not report.findings:
        lines += ["Nothing was found.", ""]
    for illness in fold(report.findings):
        lines += _illness(illness)
    lines += _measured(report)
    if report.not_checked:
        lines += ["<details><summary>Not checked</summary>", ""]
        lines += [f"- {', '.join(names)}: {escaped(because)}" for because, names in reasons(report.not_checked)]
        lines += ["", "</details>", ""]
    return lines[:-1]


def _measured(report: Report) -> Iterator[str]:
    """Yield what a checkup has measured: pictures, values to use, and what it has written out."""
    for figure in report.figures:
        if drawn := picture(figure, WIDTH):
            yield from (f"### {escaped(figure.title)}", "", "```text", *drawn, "```", "")
    if rows := list(advised(report.advice)):
        yield from ("### Measured, and to use", "", "| what | value | because |", "|---|---|---|")
        yield from (f"| {cell(row.name)} | {cell(row.value)} | {cell(row.because)} |" for row in rows)
        yield ""
    for name, text in report.documents.items():
        fence = [] if name.endswith(".md") else ["```" + name.rpartition(".")[2].replace("py", "python")]
        yield from (f"### {escaped(name)}", "", *fence, text.rstrip(), *(["```"] if fence else []), "")


def _illness(illness: Illness) -> Iterator[str]:
    cause = illness.cause
    yield f"### {cause.severity}: {cause.name} ({cause.code}, {cause.confidence}, since step {cause.first_step})"
    yield ""
    yield escaped(cause.message)
    yield ""
    yield from _evidence(cause)
    if illness.symptoms:
        yield "It explains:"
        yield ""
        yield from (f"- {finding.name} ({finding.code}): {escaped(finding.message)}" for finding in illness.symptoms)
        yield ""
    for rank, recommendation in enumerate(cause.recommendations, 1):
        yield from _recommendation(rank, recommendation)
    yield from (f"Source: {escaped(in_full(source.title))}: {escaped(source.claim)}" for source in cause.references[:1])
    yield ""


def _evidence(finding: Finding) -> Iterator[str]:
    if not finding.evidence:
        return
    yield "| signal | place | observed | expected | steps |"
    yield "|---|---|---|---|---|"
    for item in finding.evidence:
        place, steps = place_and_steps(item)
        yield f"| {cell(item.signal)} | {cell(place)} | {number(item.observed)} | {cell(item.expected)} | {steps} |"
    yield ""


def _recommendation(rank: int, advice: Recommendation) -> Iterator[str]:
    yield f"{rank}. **{escaped(advice.action)}** {escaped(advice.because)}"
    yield f"   - Then see: {escaped(advice.verify)}"
    if advice.risk:
        yield f"   - Risk: {escaped(advice.risk)}"
    if advice.recipe:
        yield f"   - Recipe: `trainhealth explain {advice.recipe}`"
    yield ""


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is: a layer called `a_b_c` must not become italic."""
    return re.sub(r"([\\`*_\[\]<>&~])", r"\\\1", " ".join(text.split()))


def cell(text: str) -> str:
    """Return text for a cell of a table."""
    return escaped(text).replace("|", r"\|")
