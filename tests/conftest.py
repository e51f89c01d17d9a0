"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# no deadline an example: a busy machine is not a failure
settings.register_profile("trainhealth", deadline=None)
settings.load_profile("trainhealth")
