"""``trainhealth recipes``: the remedies, all or those about some words."""

from __future__ import annotations

import sys

import click

from trainhealth.cli.narration import say
from trainhealth.errors import UsageError
from trainhealth.recipes import Recipe, all_recipes, search
from trainhealth.recipes.searching import matching_most, respelt
from trainhealth.reports.page import STRONG, Page


@click.command()
@click.argument("words", nargs=-1, metavar="[WORDS]...")
def recipes(words: tuple[str, ...]) -> None:
    """List the remedies; with WORDS, those that are about all of them.

    A misspelt word is taken for the nearest one; where no recipe is about all WORDS, those about most of them are
    listed. Both are said on stderr.
    """
    found = _found(" ".join(words))
    Page(sys.stdout).listing(((recipe.name, recipe.title) for recipe in found), (STRONG,))


def _found(words: str) -> tuple[Recipe, ...]:
    if found := search(words):
        return found
    meant = respelt(words, all_recipes())
    if meant and (found := search(meant)):
        say(f"no recipe is about {words!r}; these are about {meant!r}")
        return found
    if found := matching_most(meant or words, all_recipes()):
        say(f"no recipe is about all of {words!r}; these are about most of it")
        return found
    raise UsageError(f"no recipe is about {words!r}", "All of them: trainhealth recipes")
