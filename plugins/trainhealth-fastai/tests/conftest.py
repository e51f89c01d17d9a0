"""Imports fastai, where it is installed, before any test does: it imports parts of torch that warn of themselves."""

import contextlib
import warnings

with warnings.catch_warnings(), contextlib.suppress(ModuleNotFoundError):
    warnings.simplefilter("ignore")
    import fastai.learner  # noqa: F401  # the import is the point
