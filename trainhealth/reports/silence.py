"""What it means that nothing was found: health is said only of a run that could be judged, everywhere alike."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from trainhealth.findings import NotChecked
from trainhealth.rules.objective import moving_target
from trainhealth.rules.progress import has_learnt
from trainhealth.series import RunView

ENOUGH = 0.5  # of the rules: what rests on fewer is not called health
LEARNING = "flat-loss"  # the rule that asks whether anything is learnt at all


class Silence(Enum):
    """What stands behind a diagnosis without findings."""

    UNCHECKED = "no rule could be checked"
    FEW = "most rules could not be checked"
    EARLY = "whether the model learns at all can't be told"
    MOVING = "its loss does not measure progress"
    HEALTHY = "the rules that matter were checked, and found nothing"


def silence_of(view: RunView, not_checked: Collection[NotChecked], rules: int) -> Silence:
    """Return what it means that `rules` rules, of which some were not checked, have found nothing in `view`."""
    checked = rules - len(not_checked)
    if checked <= 0:
        return Silence.UNCHECKED
    if checked < ENOUGH * rules:
        return Silence.FEW
    if any(item.name == LEARNING for item in not_checked) and not has_learnt(view):
        return Silence.MOVING if moving_target(view) else Silence.EARLY
    return Silence.HEALTHY
