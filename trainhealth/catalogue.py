"""Everything that a finding can be of: the rules over runs, those over searches, and what only a checkup sees."""

from __future__ import annotations

from trainhealth.checkups.faults import all_faults
from trainhealth.rules.base import Fault
from trainhealth.rules.engine import all_rules
from trainhealth.rules.search import search_rules


def known_faults() -> tuple[type[Fault], ...]:
    """Return every fault, built-in and from plugins, in order of code."""
    return tuple(sorted((*all_rules(), *search_rules(), *all_faults()), key=lambda fault: fault.code))
