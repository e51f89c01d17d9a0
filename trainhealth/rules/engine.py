"""Runs the rules over a view of a run: the one path to a diagnosis, live and post-hoc."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from trainhealth import plugins
from trainhealth.errors import UsageError
from trainhealth.findings import Diagnosis, Finding, NotChecked
from trainhealth.rules.base import ERROR, Fault, Rule
from trainhealth.rules.causes import in_reading_order, link_causes
from trainhealth.rules.contradictions import without_contradictions
from trainhealth.rules.objective import moving_target
from trainhealth.rules.search import search_rules
from trainhealth.series import RunView
from trainhealth.signals import SIGNALS, Scope

# one reason for all rules that a foreign log can't have, so that a report says it once
ONLY_WATCHED = "only trainhealth.watch(model, optimizer) in the training script measures what it needs"


def all_rules() -> tuple[type[Rule], ...]:
    """Return every rule, built-in and from plugins, in order of code."""
    return tuple(sorted(plugins.load("trainhealth.rules"), key=lambda rule: rule.code))


def diagnose(run: RunView, options: Mapping[str, Mapping[str, Any]] | None = None) -> Diagnosis:
    """Return what all rules say of `run`.

    `options` maps rule names to the options that differ from the defaults.

    Raises:
        UsageError: there is no rule of that name, or it has no such option, or the value is of another kind.
    """
    rules = all_rules()
    if options:
        check_options((*rules, *search_rules()), options)
    findings: list[Finding] = []
    not_checked: list[NotChecked] = []
    for rule in rules:
        answer = run_rule(rule, run, (options or {}).get(rule.name, {}))
        if isinstance(answer, NotChecked):
            not_checked.append(answer)
        else:
            findings.extend(answer)
    located = [_locate(finding, run) for finding in findings]
    ordered = in_reading_order(link_causes(located, run))
    return Diagnosis(without_contradictions(ordered), tuple(not_checked))


def run_rule(rule: type[Rule], run: RunView, options: Mapping[str, Any]) -> tuple[Finding, ...] | NotChecked:
    """Return one rule's answer; a signal that it requires and the log lacks is *not checked*.

    A rule that raises is a defect of the rule: it must not hide what the others found, so that becomes *not checked*
    too, with the exception in words.
    """
    missing = [need for need in rule.requires if not any(_is_there(run, name) for name in need.split("|"))]
    if missing:
        return NotChecked(_lacks(missing, run), rule.code, rule.name)
    try:
        with np.errstate(all="ignore"):  # numbers near the largest float are data: their sums may overflow
            answer = rule().check(run, rule.Options(**options))
            if not isinstance(answer, NotChecked):
                return tuple(answer)
    except Exception as error:  # noqa: BLE001  # see the docstring
        answer = NotChecked(f"the rule failed ({type(error).__name__}: {error}): please report it")
    # whoever reads another tool's log has no handle to pass anything to
    because = ONLY_WATCHED if not run.watched and "watch." in answer.because else answer.because
    return NotChecked(because, rule.code, rule.name)


def _is_there(run: RunView, name: str) -> bool:
    return run.error is not None if name == ERROR else run.has(name)


def check_options(rules: Iterable[type[Fault]], options: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise a UsageError where options name no rule of `rules`, no option of it, or have a value of another kind."""
    rules = tuple(rules)
    by_name = {rule.name: rule for rule in rules}
    for name, chosen in options.items():
        if name not in by_name:
            called = next(
                (f"{name} is the code of {rule.name}: write that." for rule in rules if rule.code == name), ""
            )
            raise UsageError(f"there is no rule {name!r}", called or _nearest(name, by_name))
        known = {field.name: field for field in dataclasses.fields(by_name[name].Options)}
        for option, value in chosen.items():
            if option not in known:
                raise UsageError(f"the rule {name} has no option {option!r}", _nearest(option, known))
            if unfit := _unfit(value, known[option]):
                default = known[option].default
                raise UsageError(f"{name}.{option} is {value!r}, which is {unfit}", f"The default is {default}.")


def _unfit(value: Any, option: dataclasses.Field[Any]) -> str:
    """Return why an option can't have this value; "" if it can."""
    if not isinstance(option.default, int | float):
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return "no number"
    return "no whole number" if option.type in ("int", int) and value != int(value) else ""


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names)}."


def _lacks(missing: Iterable[str], run: RunView) -> str:
    """Say which signals are missing and what would supply them."""
    needs = [[name for name in need.split("|") if name != ERROR] for need in missing]
    names = ", ".join(" or ".join(need) for need in needs)
    scopes = {SIGNALS[need[0]].scope for need in needs if need[0] in SIGNALS}
    if not run.watched and scopes & {Scope.LAYER, Scope.PARAMETER, Scope.BATCH}:
        return ONLY_WATCHED
    if not run.watched:
        moving = moving_target(run) if ["train_loss"] in needs else None
        return f"nothing in the log is read as {names}: {moving}" if moving else f"the log has no {names}"
    for name in (name for need in needs for name in need if name.startswith("validation")):
        return f"the log has no {names}: pass it to watch.epoch({name}=…)"
    if scopes & {Scope.LAYER, Scope.PARAMETER, Scope.BATCH}:
        return f"no sampled step has {names}"
    return f"the log has no {names}"


def _locate(finding: Finding, run: RunView) -> Finding:
    evidence = tuple(
        e if e.location else dataclasses.replace(e, location=run.location(e.first_step)) for e in finding.evidence
    )
    return dataclasses.replace(finding, evidence=evidence)
