"""Text, for people: the cause first, what was seen, what to do, and what could not be checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TextIO

from trainhealth.diagnosis import Report
from trainhealth.findings import NotChecked, Severity
from trainhealth.reports.base import Checked, Format
from trainhealth.reports.facts import reasons, run_facts
from trainhealth.reports.finding_text import write_also, write_illness
from trainhealth.reports.folding import fold
from trainhealth.reports.measured import write_measured
from trainhealth.reports.page import GOOD, LABEL, STRONG, STYLES, Page, count
from trainhealth.reports.silence import Silence, silence_of
from trainhealth.rules.base import TOPICS
from trainhealth.rules.engine import all_rules

REASONS = 5  # that are told why rules were not checked
NAMED = 4  # rules of one reason that are named

LEADING = 3  # illnesses that are written in full: nobody mends more at a time


class TextFormat(Format):
    """Writes a block a run as soon as it is diagnosed; beautiful in a terminal, plain in a pipe."""

    name = "text"

    def write(self, checked: Iterable[Checked], out: TextIO) -> None:
        """Write the runs that can be read (the others are told on stderr) and, after several, a closing line."""
        page = Page(out)
        states: list[str] = []
        for one in checked:
            if isinstance(one, Report):
                if states:
                    page.line()
                _write_run(page, one)
                states.append("with findings" if one.findings else "without")
            else:
                states.append("unreadable")
            out.flush()
        if len(states) > 1:
            _write_total(page, Counter(states))


def _write_total(page: Page, states: Counter[str]) -> None:
    page.line()
    parts = [f"{states['with findings']} with findings", f"{states['without']} without"]
    if states["unreadable"]:
        parts.append(f"{states['unreadable']} could not be read")
    page.line((f"{states.total()} runs: {', '.join(parts)}", STRONG))


def _write_run(page: Page, report: Report) -> None:
    page.line((report.run.path, STRONG), (f"  {run_facts(report.run.view)}", LABEL))
    if not report.findings:
        _write_health(page, report)
    illnesses = fold(report.findings)
    for illness in illnesses[:LEADING]:
        page.line()
        write_illness(page, illness)
    if illnesses[LEADING:]:
        page.line()
        write_also(page, [illness.cause for illness in illnesses[LEADING:]])
    write_measured(page, report)
    if report.not_checked:
        page.line()
        _write_not_checked(page, report.not_checked)
    if report.findings or report.not_checked:
        page.line()
        _write_closing(page, report)


def _write_health(page: Page, report: Report) -> None:
    """Say what the silence rests on; where no rule could decide there is no health to report."""
    if report.looked_at:
        _write_verdict(page, f"Nothing was found; looked at: {', '.join(report.looked_at)}.")
        return
    if report.looked_at is not None:
        page.line(("?  nothing could be checked", STYLES[Severity.WARNING]))
        return
    rules = all_rules()
    silence = silence_of(report.run.view, report.not_checked, len(rules))
    lacking = {item.code for item in report.not_checked}
    decided = [rule for rule in rules if rule.code not in lacking]
    if silence is Silence.UNCHECKED:
        page.line(("?  nothing could be checked", STYLES[Severity.WARNING]))
        return
    error = report.run.view.error
    if error is not None:
        page.line((f"?  no rule found anything, but the script raised {error.type}", STYLES[Severity.WARNING]))
        return
    topics = sorted({rule.topic for rule in decided}, key=lambda topic: (*TOPICS, topic).index(topic))
    listed = f"{', '.join(topics[:-1])} and {topics[-1]}" if len(topics) > 1 else topics[0]
    checked = f"{len(decided)} of {count(len(rules), 'rule')}, on {listed}, found nothing"
    if silence is Silence.HEALTHY:
        _write_verdict(page, f"{checked}.")
    else:
        _write_verdict(page, f"{checked}; {silence.value}.", f"{page.sign(None)} nothing found  ", LABEL)


def _write_verdict(page: Page, because: str, word: str | None = None, style: str = GOOD) -> None:
    word = word or f"{page.sign(None)} healthy  "
    first, *others = page.wrap(because, len(word))
    page.line((word, style), first)
    for line in others:
        page.line(" " * len(word), line)


def _write_not_checked(page: Page, not_checked: Iterable[NotChecked]) -> None:
    """Write the reasons that silence most rules, each once; documents for programs hold all."""
    page.line(("not checked", STRONG))
    told = sorted(reasons(not_checked), key=lambda reason: -len(reason[1]))
    for because, rules in told[:REASONS]:
        page.prose(f"{_listed(rules)}: {because}", 2, LABEL)
    if others := told[REASONS:]:
        rules_left = count(sum(len(rules) for _, rules in others), "rule")
        page.prose(f"and {rules_left} for {count(len(others), 'other reason')}, which --format json names", 2, LABEL)


def _listed(rules: Sequence[str]) -> str:
    """Return the names, or where they are many, how many and the first ones."""
    return ", ".join(rules) if len(rules) <= NAMED else f"{len(rules)} rules ({', '.join(rules[: NAMED - 1])}, …)"


def _write_closing(page: Page, report: Report) -> None:
    severities = Counter(finding.severity for finding in report.findings)
    counts = ", ".join(f"{severities[severity]} {severity}" for severity in Severity if severities[severity])
    symptoms = sum(len(illness.symptoms) for illness in fold(report.findings))
    parts = [
        (counts or "no findings") + (f" ({symptoms} explained by another)" if symptoms else ""),
        f"{count(len(report.not_checked), 'rule')} not checked" if report.not_checked else "",
    ]
    page.line(("; ".join(part for part in parts if part), STRONG))
