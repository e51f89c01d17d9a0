"""Two runs beside each other as Markdown, for the pull request that made the second one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainhealth.comparison import Comparison, Difference, level_words
from trainhealth.findings import Finding
from trainhealth.reports.markdown import cell, escaped
from trainhealth.reports.page import count

SHOWN = 12  # settings and layers; the JSON holds all
_TITLES = {"gone": "Gone", "came": "Came", "stayed": "Stayed", "unmatched": "Judged in one of the runs only"}


def markdown(compared: Comparison) -> str:
    """Return the comparison as one section."""
    return "\n".join(_lines(compared)).rstrip() + "\n"


def _lines(compared: Comparison) -> Iterator[str]:
    yield f"## {compared.verdict}: {escaped(compared.after.run.path)}"
    yield ""
    yield f"Against {escaped(compared.before.run.path)}. {escaped(compared.because)}"
    yield ""
    if compared.suspicion:
        yield f"**{escaped(compared.suspicion)}**"
        yield ""
    for group, findings in compared.groups().items():
        yield from _findings(_TITLES[group], findings)
    if compared.curves:
        yield from _head("curve", "before", "after", "where they part")
        for curve in compared.curves:
            yield f"| {curve.signal} | {level_words(curve.before)} | {level_words(curve.after)} | {curve.apart} |"
        yield ""
    yield from _differences("setting", compared.settings)
    yield from _differences("layer", compared.layers)


def _findings(title: str, findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    yield f"### {title}"
    yield ""
    for finding in findings:
        yield f"- {finding.severity}: {finding.name} ({finding.code}): {escaped(finding.message)}"
    yield ""


def _differences(kind: str, differences: Sequence[Difference]) -> Iterator[str]:
    if not differences:
        return
    yield from _head(kind, "before", "after")
    for item in differences[:SHOWN]:
        values = ("none" if value is None else str(value) for value in (item.before, item.after))
        yield f"| {' | '.join(map(cell, (item.name, *values)))} |"
    if len(differences) > SHOWN:
        yield f"| and {count(len(differences) - SHOWN, 'difference')} more | | |"
    yield ""


def _head(*titles: str) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
