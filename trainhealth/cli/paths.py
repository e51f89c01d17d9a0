"""Paths on the command line."""

from __future__ import annotations

import os

import click


class GivenPath(click.Path):
    """A path that is not empty: ``check "$RUN"`` without a RUN would be about the current folder."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path as it was given; fail where there is none."""
        if value == "":
            self.fail("the path is empty; is a variable of the shell not set?", param, ctx)
        return super().convert(value, param, ctx)
