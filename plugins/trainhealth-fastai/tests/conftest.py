"""Imports fastai, where it is installed, before any test does: it uses what torch and pandas have deprecated."""

import contextlib
import warnings

with warnings.catch_warnings(), contextlib.suppress(ModuleNotFoundError):
    warnings.simplefilter("ignore")
    import fastai.basics  # noqa: F401  # the import is the point
