"""Settings of the dashboard's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _a_new_person(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from before, and what a test has the dashboard remember stays out of the user's home."""
    home: Path = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    for name in ("TMUX", "DISPLAY", "WAYLAND_DISPLAY"):  # no program gets what a test copies
        monkeypatch.delenv(name, raising=False)
