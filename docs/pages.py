"""Writes a page for each rule and each recipe, and their index pages, from what the code says.

    python docs/pages.py

A test holds the pages to the code.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from trainhealth.catalogue import known_faults
from trainhealth.findings import Reference
from trainhealth.recipes import Recipe, all_recipes
from trainhealth.recipes.lectures import in_full, named_in
from trainhealth.rules.base import SECTIONS, TOPICS, Fault, Rule

DOCS = Path(__file__).parent
FOLDERS = ("rules", "recipes")
_COMMAND = "<!-- made by docs/pages.py from the code; do not edit -->"


def pages() -> dict[str, str]:
    """Return the text of every page, by its path below ``docs/``."""
    rules = [rule for rule in known_faults() if rule.__module__.startswith("trainhealth.")]
    recipes = all_recipes()
    prescribed = {rule.name: _prescribed(rule, recipes) for rule in rules}
    texts = {"rules/index.md": _rules_index(rules), "recipes/index.md": _recipes_index(recipes)}
    texts |= {f"rules/{rule.name}.md": _rule_page(rule, prescribed[rule.name]) for rule in rules}
    for recipe in recipes:
        treats = [rule for rule in rules if recipe in prescribed[rule.name]]
        texts[f"recipes/{recipe.name}.md"] = _recipe_page(recipe, treats)
    return texts


# --- rules ---


def _rules_index(rules: Sequence[type[Fault]]) -> str:
    parts = ["# Rules", _COMMAND, f"{len(rules)} rules, by topic. In a terminal: `trainhealth rules`."]
    for topic in TOPICS:
        there = [rule for rule in rules if rule.topic == topic]
        rows = [
            f"| {rule.code} | [{rule.name}]({rule.name}.md) | {rule.severity} | {_summary(rule)} |" for rule in there
        ]
        if rows:
            parts += [f"## {topic.capitalize()}", _table(("code", "rule", "usually", "what it says"), rows)]
    return _page(parts)


def _rule_page(rule: type[Fault], recipes: Sequence[Recipe]) -> str:
    parts = [f"# {rule.code} {rule.name}", _COMMAND, f"**{_summary(rule)}**"]
    parts.append(f"{rule.topic} · usually {rule.severity} · {rule.confidence} · since {rule.since}")
    for title, body in _sections(rule):
        parts += [f"## {title}", _markdown(body)]
        if title == "What to try" and recipes:
            links = ", ".join(f"[{recipe.name}](../recipes/{recipe.name}.md)" for recipe in recipes)
            parts.append(f"Recipes: {links}.")
    if issubclass(rule, Rule):
        parts += ["## Reads", _reads(rule)]
    options = [
        f"| `{field.name}` | {field.default} | {field.metadata['unit']} | {field.metadata['source']} |"
        for field in dataclasses.fields(rule.Options)
    ]
    if options:
        parts += ["## Options", f"In `[tool.trainhealth.rules.{rule.name}]` of `pyproject.toml`."]
        parts.append(_table(("option", "default", "unit", "source"), options))
    parts += ["## References", _sources(rule.references)]
    lectures = named_in("\n".join([*parts, *(reference.claim for reference in rule.references)]))
    parts += [f"- {short}: {title}" for short, title in lectures.items()]
    return _page(parts)


def _summary(rule: type[Fault]) -> str:
    return (inspect.getdoc(rule) or "").partition("\n")[0]


def _sections(rule: type[Fault]) -> Iterable[tuple[str, list[str]]]:
    title = ""
    lines: list[str] = []
    for line in (inspect.getdoc(rule) or "").splitlines()[1:]:
        if line in SECTIONS:
            if title:
                yield title, lines
            title, lines = line, []
        else:
            lines.append(line.removeprefix("    "))
    yield title, lines


def _markdown(lines: Sequence[str]) -> str:
    """Return a section's lines with its formulas, which are indented, as blocks of their own.

    >>> print(_markdown(["It is", "    a = b", "or not."]))
    It is
    <BLANKLINE>
        a = b
    <BLANKLINE>
    or not.
    """
    blocks = ["\n".join(block) for _, block in groupby(lines, lambda line: line.startswith("    "))]
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(blocks)).strip("\n").replace("``", "`")


def _reads(rule: type[Rule]) -> str:
    needs = ", ".join(" or ".join(f"`{name}`" for name in need.split("|")) for need in rule.requires)
    uses = ", ".join(f"`{name}`" for name in rule.uses)
    return f"{needs}{f'; where it is there, {uses}' if uses else ''}. Signals: [glossary](../glossary.md)."


def _prescribed(rule: type[Fault], recipes: Sequence[Recipe]) -> list[Recipe]:
    """Return the recipes that the recommendations in the rule's file name, or may name where a variable does."""
    tree = ast.parse(inspect.getsource(sys.modules[rule.__module__]))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "Recommendation"]
    given = [
        each for call in calls for each in (*call.args[4:5], *(k.value for k in call.keywords if k.arg == "recipe"))
    ]
    looked_through = given if all(isinstance(value, ast.Constant) for value in given) else [tree]
    constants = [node for part in looked_through for node in ast.walk(part) if isinstance(node, ast.Constant)]
    names = {constant.value for constant in constants}
    return [recipe for recipe in recipes if recipe.name in names]


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


# --- recipes ---


def _recipes_index(recipes: Sequence[Recipe]) -> str:
    rows = [f"| [{recipe.name}]({recipe.name}.md) | {recipe.title} |" for recipe in recipes]
    introduction = f"{len(recipes)} recipes. In a terminal: `trainhealth recipes [WORDS]`, `trainhealth explain NAME`."
    return _page(["# Recipes", _COMMAND, introduction, _table(("recipe", "what to do"), rows)])


def _recipe_page(recipe: Recipe, treats: Sequence[type[Fault]]) -> str:
    parts = [f"# {recipe.title}", _COMMAND, f"`{recipe.name}`", recipe.what]
    if treats:
        links = ", ".join(f"[{rule.code} {rule.name}](../rules/{rule.name}.md)" for rule in treats)
        parts.append(f"Prescribed by {links}.")
    for title, text in (
        ("When", recipe.when),
        ("When not", recipe.when_not),
        ("What changes in the script", recipe.changes),
        ("What it costs", recipe.cost),
        ("Snippet", f"```python\n{recipe.snippet.strip()}\n```"),
        ("What is seen if it works", recipe.verify),
        ("Lecture and practice", recipe.practice),
        ("Sources", _sources(recipe.sources)),
    ):
        parts += [f"## {title}", text] if text else []
    return _page(parts)


# --- both ---


def _sources(sources: Iterable[Reference]) -> str:
    return "\n".join(f"- {_linked(source)} — {source.claim.rstrip('.')}." for source in sources)


def _linked(source: Reference) -> str:
    title = in_full(source.title)
    return f"[{title}]({source.url})" if source.url else title


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *rows])


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write all pages, and remove those whose rule or recipe is gone."""
    texts = pages()
    for folder in FOLDERS:
        (DOCS / folder).mkdir(exist_ok=True)
        for page in (DOCS / folder).glob("*.md"):
            if f"{folder}/{page.name}" not in texts:
                page.unlink()
    for path, text in texts.items():
        (DOCS / path).write_text(text)


if __name__ == "__main__":
    main()
