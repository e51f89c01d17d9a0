"""What a rule over a search is: metadata as every fault has them, and one pure function over the analysed trials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trainhealth.findings import Evidence, Finding, NotChecked
from trainhealth.rules.base import Fault
from trainhealth.search.analysis import Search


class SearchRule(Fault):
    """One diagnosis from a table of trials.

    A subclass is one file ``rules/search/<name with underscores>.py``. The steps of its findings and evidence are rows
    of the table, and places are settings.
    """

    def check(self, search: Search, options: Any) -> Iterable[Finding] | NotChecked:
        """Return the findings (none: nothing was found), or why the search can't be judged."""
        raise NotImplementedError  # abstract: only subclasses are asked


def over_all(search: Search, setting: str, observed: float, expected: str) -> Evidence:
    """Return an observation on one setting that rests on all trials."""
    return Evidence(search.trials.score, setting, 0, max(len(search.trials) - 1, 0), observed, expected)


def percent(share: float) -> str:
    """Return a share as people write it.

    >>> percent(0.914)
    '91 %'
    """
    return f"{100 * share:.0f} %"
