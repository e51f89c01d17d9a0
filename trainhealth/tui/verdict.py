"""The first glance: healthy or not in words, the cause in one line, and the first thing to do."""

from __future__ import annotations

from trainhealth.findings import Confidence, Finding, Severity
from trainhealth.reports.folding import fold
from trainhealth.reports.silence import Silence, silence_of
from trainhealth.tui.amounts import count
from trainhealth.tui.lines import Line, Span, clip, line
from trainhealth.tui.signs import HEALTHY, sign
from trainhealth.tui.snapshot import OVER, Snapshot, State

_SICK = {Severity.CRITICAL: "sick", Severity.WARNING: "unwell"}
_SURE = {Confidence.CERTAIN: "", Confidence.LIKELY: "probably ", Confidence.HINT: "perhaps "}


def leading(snapshot: Snapshot) -> Finding | None:
    """Return the finding that a person should look at first: the cause of the worst illness that is not muted."""
    illnesses = fold(snapshot.findings)
    return illnesses[0].cause if illnesses else None


def verdict_line(snapshot: Snapshot, width: int) -> Line:
    """Return whether the run is healthy, and if not, what it has and since when."""
    leader = leading(snapshot)
    if leader is None:
        return clip(_without_findings(snapshot), width)
    since = f" since step {count(leader.first_step)}  "
    head = Span(f" {sign(leader.severity)} {_word(leader)}: ", str(leader.severity))
    return clip(line(head, Span(leader.name, "strong"), Span(since, "label"), leader.message), width)


def remedy_line(snapshot: Snapshot, width: int) -> Line:
    """Return the first thing to do; nothing where there is no remedy, or no illness."""
    leader = leading(snapshot)
    if leader is None or not leader.recommendations:
        return ()
    return clip(line(Span("   Do this: ", "healthy"), leader.recommendations[0].action), width)


def _without_findings(snapshot: Snapshot) -> Line:
    if not snapshot.diagnosed:
        return line(Span(" No verdict yet", "label"))
    checked = snapshot.rules - len(snapshot.diagnosis.not_checked)
    silence = silence_of(snapshot.view, snapshot.diagnosis.not_checked, snapshot.rules)
    if silence is Silence.UNCHECKED:
        return line(Span(" No verdict: no rule could be checked", "label"), Span("  n: why", "label"))
    rules = f"{checked} of {snapshot.rules} rules checked"
    error, gone = snapshot.view.error, snapshot.condition.state is State.GONE
    if error is not None or gone:
        end = f"the script raised {error.type}" if error is not None else "the process was gone"
        return line(Span(f" ? Nothing found before {end}", "warning"), f"  {rules}")
    muted = len(snapshot.muted_findings)
    besides = f"{rules}, {count(muted)} muted" if muted else rules
    if silence is Silence.FEW:
        return line(Span(f" {HEALTHY} Nothing found, "), f"but only {besides}", Span("  n: why", "label"))
    if silence is Silence.EARLY:
        why = "too short" if snapshot.condition.state in OVER else "too early"
        return line(Span(f" {HEALTHY} Nothing found", "label"), Span(f"  {besides}: {why} to say more", "label"))
    if silence is Silence.MOVING:
        return line(Span(f" {HEALTHY} Nothing found", "label"), Span(f"  {besides}: {silence.value}", "label"))
    so_far = " so far" if snapshot.condition.state in (State.LIVE, State.STALLED) else ""
    return line(Span(f" {HEALTHY} Healthy{so_far}", "healthy"), Span(f"  {besides}", "label"))


def _word(finding: Finding) -> str:
    if finding.severity is Severity.NOTE:
        return "Worth knowing"
    word = _SURE[finding.confidence] + _SICK[finding.severity]
    return word[0].upper() + word[1:]
