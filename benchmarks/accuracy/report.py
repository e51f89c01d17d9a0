"""What the results say: false alarms by name, recall and precision by rule and strength, what was taken for what."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from statistics import median

from benchmarks.accuracy.faults import FAULTS, STRENGTHS
from benchmarks.accuracy.harm import harmed
from benchmarks.accuracy.measure import Result

LEAST_SKILL = 0.8  # share of the median skill of a pair's healthy runs, below which a run was not healthy after all
FIRST = 3  # causes that a report leads with


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    z, share = 1.96, hits / count
    centre = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (centre - spread) / (1 + z * z / count), (centre + spread) / (1 + z * z / count)


def share(hits: int, count: int) -> str:
    """Return a share with its interval, as people read it."""
    low, high = wilson(hits, count)
    return f"{hits}/{count} = {hits / max(count, 1):.1%} ({low:.1%} to {high:.1%})"


def truly_healthy(results: Iterable[Result]) -> tuple[list[Result], list[Result]]:
    """Return the healthy programs that trained well, and those that did not: by their skill, not by our rules."""
    every = list(results)
    usual = _usual(every)
    well: list[Result] = []
    poorly: list[Result] = []
    for result in every:
        (well if result.skill >= LEAST_SKILL * usual[_pair(result)] else poorly).append(result)
    return well, poorly


def _pair(result: Result) -> str:
    return f"{result.program['data']}/{result.program['model']}"


def _usual(healthy: Iterable[Result]) -> Mapping[str, float]:
    """Return the median skill of the healthy runs of each pair of data and model."""
    by_pair: dict[str, list[float]] = defaultdict(list)
    for result in healthy:
        by_pair[_pair(result)].append(result.skill if math.isfinite(result.skill) else 0.0)  # NaN: it failed
    return {pair: median(skills) for pair, skills in by_pair.items()}


def write(healthy: Sequence[Result], sick: Sequence[Result]) -> str:
    """Return the report as Markdown."""
    harm = harmed(sick, healthy)
    parts = [_healthy(healthy), _sick(sick, _usual(healthy), harm), _faults(sick, harm), _rules(healthy, sick)]
    return "\n\n".join("\n".join(part) for part in (*parts, _confusion(sick))) + "\n"


def _healthy(results: Sequence[Result]) -> Iterator[str]:
    well, poorly = truly_healthy(results)
    alarmed = [result for result in well if result.serious]
    certain = [r for r in well if any(f["confidence"] == "certain" and f["severity"] != "note" for f in r.findings)]
    notes = sum(f["severity"] == "note" for result in well for f in result.findings)
    yield "## Healthy runs"
    yield ""
    yield f"- with a finding of severity warning or above: {share(len(alarmed), len(well))}"
    yield f"- with a certain one: {len(certain)}"
    yield f"- notes a run: {notes / max(len(well), 1):.2f}"
    yield f"- left out, because they trained badly: {len(poorly)}"
    yield ""
    yield "| false alarm | runs | of which pairs |"
    yield "|---|---|---|"
    for code, count in Counter(code for result in alarmed for code in set(result.serious)).most_common():
        pairs = Counter(_pair(r) for r in alarmed if code in r.serious)
        yield f"| {code} | {count} | {', '.join(f'{pair} {n}' for pair, n in pairs.most_common(4))} |"


def _place(result: Result, names: Sequence[str]) -> int | None:
    """Return the place of a right name among the causes, from 0; None where there is none."""
    return next((place for place, code in enumerate(result.causes) if code in names), None)


def _found(result: Result, names: Sequence[str]) -> bool:
    """Tell whether a right name is among the causes that the report leads with."""
    place = _place(result, names)
    return place is not None and place < FIRST


def _sick(results: Sequence[Result], usual: Mapping[str, float], harm: Set[str]) -> Iterator[str]:
    names = {fault.name: fault.names for fault in FAULTS}
    yield "## Sick runs"
    yield ""
    yield "| strength | first | among the first three | … of those whose fault harms | anywhere, also as a note |"
    yield "|---|---|---|---|---|"
    grave = [result for result in results if result.strength != STRENGTHS[0]]
    poor = [result for result in grave if not result.skill >= LEAST_SKILL * usual.get(_pair(result), 0.0)]
    groups = {strength: [result for result in results if result.strength == strength] for strength in STRENGTHS}
    groups[" or ".join(STRENGTHS[1:])] = grave
    groups[f"… with a result below {LEAST_SKILL} of the healthy ones'"] = poor
    for name, chosen in groups.items():
        places = [_place(result, names[result.fault or ""]) for result in chosen]
        anywhere = sum(any(f["code"] in names[r.fault or ""] for f in r.findings) for r in chosen)
        first = share(sum(place == 0 for place in places), len(places))
        found = [_found(result, names[result.fault or ""]) for result in chosen]
        of_harmed = [one for one, result in zip(found, chosen, strict=True) if result.key in harm]
        three, worse = share(sum(found), len(found)), share(sum(of_harmed), len(of_harmed))
        yield f"| {name} | {first} | {three} | {worse} | {share(anywhere, len(places))} |"
    yield ""
    yield "A fault harms where the skills over its seeds are worse than its twin's, by the criterion by which DeepCrime"
    yield "calls a mutant killed (p < 0.05, d >= 0.5). All healthy runs of the pair stand in for a twin without a run."


def _faults(results: Sequence[Result], harm: Set[str]) -> Iterator[str]:
    """Yield for each fault how often it is among the causes that lead the report, and when it is first seen."""
    yield (
        "| fault | named by | barely | clearly | grossly | clearly or grossly, where it harms"
        " | first step of it (median) |"
    )
    yield "|---|---|---|---|---|---|---|"
    for fault in FAULTS:
        cells, latencies = [], []
        for strength in STRENGTHS:
            chosen = [r for r in results if (r.fault, r.strength) == (fault.name, strength)]
            found = [r for r in chosen if _found(r, fault.names)]
            cells.append(f"{len(found)}/{len(chosen)}" if chosen else "")
            latencies += [next(f["first_step"] for f in r.findings if f["code"] in fault.names) for r in found]
        graves = [r for r in results if r.fault == fault.name and r.strength != STRENGTHS[0]]
        harmful = [r for r in graves if r.key in harm]
        found_of = share(sum(_found(r, fault.names) for r in harmful), len(harmful)) if harmful else "never"
        cells.append(found_of if graves else "")
        latency = f"{median(latencies):.0f}" if latencies else ""
        yield f"| {fault.name} | {', '.join(fault.names)} | {' | '.join(cells)} | {latency} |"


def _rules(healthy: Sequence[Result], sick: Sequence[Result]) -> Iterator[str]:
    """Yield for each rule how often it is right where it leads: the planted illness, or one that it stands for."""
    names = {fault.name: fault.names for fault in FAULTS}
    leads: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for result in sick:
        if result.causes:
            leads[result.causes[0]] += 1
            right[result.causes[0]] += result.causes[0] in names[result.fault or ""]
    for result in truly_healthy(healthy)[0]:
        leads.update(result.causes[:1])
    yield "## Precision of each rule, where it leads the report"
    yield ""
    yield "| rule | right | "
    yield "|---|---|"
    for code, count in sorted(leads.items()):
        yield f"| {code} | {share(right[code], count)} |"


def _confusion(results: Sequence[Result]) -> Iterator[str]:
    table: Mapping[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        if result.strength != STRENGTHS[0]:
            table[result.fault or ""][result.causes[0] if result.causes else "nothing"] += 1
    yield "## What leads the report (clearly and grossly sick)"
    yield ""
    for fault in FAULTS:
        if table[fault.name]:
            told = ", ".join(f"{code} {count}" for code, count in table[fault.name].most_common())
            yield f"- {fault.name} ({fault.names[0]}): {told}"
