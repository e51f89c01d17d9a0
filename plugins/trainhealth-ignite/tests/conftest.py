"""Imports Ignite before any test does: it imports parts of torch that warn of themselves."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import ignite.engine  # noqa: F401  # the import is the point
