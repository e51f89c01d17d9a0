"""The scripts beside the adapters' READMEs, run as a reader would run them: each ends, and leaves what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import trainhealth

PLUGINS = Path(__file__).parents[1] / "plugins"
FRAMEWORKS = {  # adapter -> what it needs
    "accelerate": "accelerate",
    "fastai": "fastai",
    "ignite": "ignite",
    "keras": "keras",
    "lightning": "lightning",
    "optuna": "optuna",
    "sinks": "tensorboard",
    "skorch": "skorch",
    "transformers": "transformers",
    "ultralytics": "ultralytics",
}


def test_every_plugin_has_a_script_that_its_readme_names() -> None:
    """Ten lines to read, one to try."""
    folders = {path.parent for path in PLUGINS.glob("*/pyproject.toml")}
    assert {folder.name.removeprefix("trainhealth-") for folder in folders} == {*FRAMEWORKS, "example"}
    for folder in folders:
        assert (folder / "run.py").is_file()
        assert "`python run.py`" in (folder / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("adapter", FRAMEWORKS)
def test_the_script_shows_an_illness(adapter: str, tmp_path: Path) -> None:
    """A run folder with the critical finding for which the adapter ended the training, or the trial."""
    if find_spec(FRAMEWORKS[adapter]) is None:
        pytest.skip(f"{FRAMEWORKS[adapter]} is not installed")
    folder = PLUGINS / f"trainhealth-{adapter}"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(PLUGINS.parent), str(folder)]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, str(folder / "run.py")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    runs = sorted({path.parent for path in tmp_path.glob("runs/**/run.json")})
    found = {str(finding.severity) for run in runs for finding in trainhealth.check(run).findings}
    assert runs, done.stderr
    assert "critical" in found or adapter == "ultralytics", done.stderr  # it allows no rate above 1
