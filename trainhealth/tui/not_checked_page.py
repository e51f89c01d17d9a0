"""What was not checked, why, and what would make it checkable: silence would read as health."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainhealth.findings import NotChecked
from trainhealth.signals import SIGNALS
from trainhealth.tui.lines import Line, paragraph
from trainhealth.tui.snapshot import Snapshot


def by_reason(items: Sequence[NotChecked]) -> dict[str, list[NotChecked]]:
    """Return the rules under the reasons that keep them from deciding: what concerns most of them comes first."""
    reasons: dict[str, list[NotChecked]] = {}
    for item in items:
        reasons.setdefault(item.because, []).append(item)
    return dict(sorted(reasons.items(), key=lambda entry: -len(entry[1])))


def not_checked_page(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the page of the rules that could not decide, those with the same reason together."""
    items = snapshot.diagnosis.not_checked
    if not snapshot.diagnosed:
        return paragraph("The rules have not run yet.", width)
    checked = snapshot.rules - len(items)
    lines = paragraph(f"{checked} of {snapshot.rules} rules were checked.", width)
    for because, rules in by_reason(items).items():
        lines += [(), *paragraph(f"{because[0].upper()}{because[1:]}.", width, role="strong")]
        for name in _signals_in(because):
            lines += paragraph(f"{name}: {SIGNALS[name].meaning}", width - 2, indent=2, role="label")
        names = ", ".join(f"{rule.name} ({rule.code})" for rule in rules)
        lines += paragraph(names, width - 2, indent=2)
    return lines


def _signals_in(text: str) -> list[str]:
    """Return the signals that a reason names: who has to log one wants to know what it is."""
    return [word for word in dict.fromkeys(re.findall(r"\w+", text)) if word in SIGNALS]
