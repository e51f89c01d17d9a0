"""One illness as a block of text: the fact, the numbers, the remedies, the symptoms that it explains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from trainhealth.findings import Evidence, Finding, Recommendation
from trainhealth.reports.folding import Illness
from trainhealth.reports.page import LABEL, STRONG, STYLES, Page
from trainhealth.rules.base import number

COLUMN = 13  # at which text begins; labels stand to the left of it
SHOWN = 6  # pieces of evidence; the JSON report holds all


def write_illness(page: Page, illness: Illness) -> None:
    """Write the block; it names the command that explains the rule at the end."""
    cause = illness.cause
    page.line(
        (f"{page.sign(cause.severity)} {cause.severity}", STYLES[cause.severity]),
        "  ",
        (cause.name, STRONG),
        (f"  {cause.code}, {cause.confidence}, since step {cause.first_step}", LABEL),
    )
    page.prose(cause.message, 2)
    page.line()
    _write_evidence(page, cause.evidence)
    if illness.symptoms:
        page.line()
        _write_brief(page, "explains", illness.symptoms)
    alone = len(cause.recommendations) == 1
    for rank, recommendation in enumerate(cause.recommendations):
        _write_recommendation(page, recommendation, "try" if alone else "try next" if rank else "try first")
    page.line()
    page.labelled("more", f"trainhealth explain {cause.code}", COLUMN)


def _write_evidence(page: Page, evidence: Sequence[Evidence]) -> None:
    """Write the numbers under each other, those of a signal under the signal and what health looks like."""
    shown = evidence[:SHOWN]
    numbers = _aligned([number(piece.observed) for piece in shown])
    width = max((len(piece.place or "") for piece in shown), default=0)
    label = "seen"
    for (signal, expected), rows in groupby(
        zip(shown, numbers, strict=True), key=lambda row: (row[0].signal, row[0].expected)
    ):
        page.labelled(label, f"{signal}, expected {expected}", COLUMN)
        label = ""
        for piece, observed in rows:
            place = f"  {piece.place or '':{width}}" if width else ""
            page.line(" " * COLUMN, (f"  {observed}", STRONG), place, (f"  {_steps(piece)}", LABEL))
    if len(evidence) > SHOWN:
        page.line(" " * COLUMN, (f"  and {len(evidence) - SHOWN} more like these", LABEL))


def _aligned(numbers: Sequence[str]) -> list[str]:
    """Return the numbers padded so that their decimal points stand under each other."""
    parts = [text.partition(".") for text in numbers]
    before = max((len(head) for head, _, _ in parts), default=0)
    after = max((len(point + tail) for _, point, tail in parts), default=0)
    return [f"{head:>{before}}{point + tail:{after}}" for head, point, tail in parts]


def _steps(piece: Evidence) -> str:
    if piece.first_step == piece.last_step:
        return f"step {piece.first_step}"
    return f"steps {piece.first_step} to {piece.last_step}"


def _write_recommendation(page: Page, recommendation: Recommendation, label: str) -> None:
    page.line()
    page.labelled(label, recommendation.action, COLUMN, style=STRONG)
    page.labelled("because", recommendation.because, COLUMN)
    page.labelled("then see", recommendation.verify, COLUMN)
    if recommendation.risk:
        page.labelled("risk", recommendation.risk, COLUMN)
    if recommendation.recipe:
        page.labelled("recipe", f"trainhealth explain {recommendation.recipe}", COLUMN)


def write_also(page: Page, causes: Sequence[Finding]) -> None:
    """Write findings that are none of the leading ones, a line each."""
    _write_brief(page, "also", causes)
    page.labelled("more", "trainhealth explain CODE; --format json has all of each", COLUMN)


def _write_brief(page: Page, label: str, findings: Sequence[Finding]) -> None:
    for symptom in findings:
        sign = page.sign(symptom.severity)
        head = f"{sign} {symptom.name} ({symptom.code}): "
        first, *others = page.wrap(head + _first_sentence(symptom.message), COLUMN + 2)
        page.line("  ", (label.ljust(COLUMN - 2), LABEL), (sign, STYLES[symptom.severity]), first.removeprefix(sign))
        for line in others:
            page.line(" " * (COLUMN + 2), line)
        label = ""


def _first_sentence(message: str) -> str:
    return re.split(r"(?<=[.!?])\s", message, maxsplit=1)[0]
