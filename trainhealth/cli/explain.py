"""``trainhealth explain``: all that is known of a rule, a recipe or a signal."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import sys
from collections.abc import Iterable, Sequence

import click

from trainhealth.catalogue import known_faults
from trainhealth.cli.described import format_option, recipe_fields, rule_fields, signal_fields, write_json
from trainhealth.errors import UsageError
from trainhealth.findings import Reference
from trainhealth.recipes import Recipe, all_recipes, search
from trainhealth.recipes.lectures import in_full
from trainhealth.reports.page import LABEL, STRONG, STYLES, Page
from trainhealth.rules.base import SECTIONS, Fault, Rule
from trainhealth.signals import SIGNALS, Scope, Signal

MOST_NEAR = 4  # names that a message suggests
MISSPELT = 0.85  # likeness from which a name is meant
SCOPES = {
    Scope.STEP: "one value a step",
    Scope.EVALUATION: "one value an epoch or evaluation",
    Scope.LAYER: "one value a layer and sampled step",
    Scope.PARAMETER: "one value a parameter and sampled step",
    Scope.BATCH: "one value a sampled step",
}


@click.command()
@click.argument("name", metavar="RULE|RECIPE|SIGNAL")
@format_option
def explain(name: str, format_: str) -> None:
    """Explain a rule (by code or name, such as AC01 or dead-relu-units), a recipe (he-initialization) or a signal.

    Signals are what the evidence of a finding names, such as update_ratio.
    """
    part = _named(name)
    page = Page(sys.stdout)
    if isinstance(part, Recipe):
        write_json({"recipe": recipe_fields(part)}) if format_ == "json" else _write_recipe(page, part)
    elif isinstance(part, Signal):
        write_json({"signal": signal_fields(part)}) if format_ == "json" else _write_signal(page, part)
    else:
        write_json({"rule": rule_fields(part)}) if format_ == "json" else _write_rule(page, part)


def _named(name: str) -> type[Fault] | Recipe | Signal:
    """Return the rule, recipe or signal of that code or name.

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    if name in SIGNALS:  # constant_features is one; constant-features is a rule
        return SIGNALS[name]
    known: dict[str, type[Fault] | Recipe | Signal] = {}
    parts: tuple[type[Fault] | Recipe | Signal, ...] = (*known_faults(), *all_recipes(), *SIGNALS.values())
    for part in parts:
        known.setdefault(_spelt(part.name), part)
    codes = {rule.code.lower(): rule for rule in known_faults()}
    wanted = _spelt(name)
    if wanted in codes:
        return codes[wanted]
    if wanted not in known:
        near = ", ".join(
            known[near].name if near in known else near for near in _nearest(wanted, codes, known)[:MOST_NEAR]
        )
        raise UsageError(
            f"there is no rule, recipe or signal {name!r}{f'; the nearest: {near}' if near else ''}",
            "What can be explained is listed by trainhealth rules and trainhealth recipes; "
            "trainhealth recipes WORD finds remedies by a word.",
        )
    return known[wanted]


def _spelt(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def _nearest(wanted: str, codes: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the code or the names that may be meant: a misspelt one, those that hold the word or are about it."""
    names = list(names)
    if near_codes := difflib.get_close_matches(wanted, codes, n=1):
        return [near_codes[0].upper()]
    if misspelt := difflib.get_close_matches(wanted, names, n=1, cutoff=MISSPELT):
        return misspelt
    holding = [name for name in names if wanted and wanted in name]
    about = [recipe.name for recipe in search(wanted)] if wanted else []
    return list(dict.fromkeys((*holding, *about))) or difflib.get_close_matches(wanted, names, n=1)


# --- rules ---


def _write_rule(page: Page, rule: type[Fault]) -> None:
    summary, sections = _sections(inspect.getdoc(rule) or "")
    facts = f"  {rule.topic}, usually {rule.severity}, {rule.confidence}, since {rule.since}"
    page.line((rule.code, STYLES[rule.severity]), " ", (rule.name, STRONG), (facts, LABEL))
    page.prose(summary)
    for title, body in sections:
        page.line()
        page.line((title, STRONG))
        _write_body(page, body)
    if issubclass(rule, Rule):
        page.line()
        page.line(("Reads", STRONG))
        page.prose(_reads(rule), 2)
    _write_options(page, rule)
    _write_sources(page, "References", rule.references)


def _sections(doc: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """Split a rule's docstring into its summary and its sections (see `Fault`)."""
    summary, *lines = doc.splitlines()
    sections: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.strip().rstrip(":") in SECTIONS and line == line.lstrip():
            sections.append((line.strip().rstrip(":"), []))
        elif sections:
            sections[-1][1].append(line)
    return summary, sections


def _write_body(page: Page, lines: Sequence[str]) -> None:
    """Write paragraphs wrapped, lists item by item, and indented lines (formulas) as they are."""
    common = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    paragraph: list[str] = []

    def finish() -> None:
        if paragraph:
            item = paragraph[0].startswith(("- ", "* "))
            first, *others = page.wrap(" ".join(paragraph), 4 if item else 2)
            page.line("  ", first)
            for line in others:
                page.line("    " if item else "  ", line)
            paragraph.clear()

    for line in (line[common:].replace("``", "`") for line in lines):
        if line.startswith("    "):
            finish()
            page.line("  ", line.rstrip())
        elif not line.strip():
            finish()
        else:
            if line.startswith(("- ", "* ")):
                finish()
            paragraph.append(line.strip())
    finish()


def _reads(rule: type[Rule]) -> str:
    needs = [need.replace("|", " or ") for need in rule.requires]
    uses = f"; where it is there, {', '.join(rule.uses)}" if rule.uses else ""
    return f"{', '.join(needs)}{uses}" if needs else f"whatever there is{uses}"


def _write_options(page: Page, rule: type[Fault]) -> None:
    fields = dataclasses.fields(rule.Options)
    if not fields:
        return
    page.line()
    page.line(("Options", STRONG))
    width = max(len(field.name) for field in fields)
    for field in fields:
        value = f"{field.default} {field.metadata.get('unit', '')}".rstrip()
        page.labelled(field.name, f"{value} ({field.metadata.get('source', '')})", width + 4)


def _write_sources(page: Page, title: str, sources: Iterable[Reference]) -> None:
    page.line()
    page.line((title, STRONG))
    for source in sources:
        page.prose(in_full(source.title), 2)
        page.prose(source.claim, 4, LABEL)
        if source.url:
            page.line("    ", (source.url, LABEL))


# --- signals ---


def _write_signal(page: Page, signal: Signal) -> None:
    fields = signal_fields(signal)
    scope = SCOPES[signal.scope]
    page.line((signal.name, STRONG), (f"  signal, {scope}, unit: {signal.unit}", LABEL))
    page.prose(signal.meaning)
    if fields["read_by"]:
        page.line()
        page.line(("Read by", STRONG))
        page.prose(", ".join(f"{one['code']} {one['name']}" for one in fields["read_by"]), 2)


# --- recipes ---


def _write_recipe(page: Page, recipe: Recipe) -> None:
    page.line((recipe.name, STRONG), ("  recipe", LABEL))
    page.prose(f"{recipe.title}.")
    page.line()
    page.prose(recipe.what)
    for title, text in (
        ("When", recipe.when),
        ("When not", recipe.when_not),
        ("What changes in the script", recipe.changes),
        ("What it costs", recipe.cost),
    ):
        page.line()
        page.line((title, STRONG))
        page.prose(text, 2)
    page.line()
    page.line(("Snippet", STRONG))
    for line in recipe.snippet.strip("\n").splitlines():
        page.line("    ", line)
    for title, text in (("What is seen if it works", recipe.verify), ("Lecture and practice", recipe.practice)):
        if text:
            page.line()
            page.line((title, STRONG))
            page.prose(text, 2)
    _write_sources(page, "Sources", recipe.sources)
