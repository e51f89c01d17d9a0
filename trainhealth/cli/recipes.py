"""``trainhealth recipes``: the remedies, all or those about some words."""

from __future__ import annotations

import sys

import click

from trainhealth.errors import UsageError
from trainhealth.recipes import search
from trainhealth.reports.page import STRONG, Page


@click.command()
@click.argument("words", nargs=-1, metavar="[WORDS]...")
def recipes(words: tuple[str, ...]) -> None:
    """List the remedies; with WORDS, those that are about all of them."""
    found = search(" ".join(words))
    if not found:
        raise UsageError(f"no recipe is about {' '.join(words)!r}", "All of them: trainhealth recipes")
    Page(sys.stdout).listing(((recipe.name, recipe.title) for recipe in found), (STRONG,))
