"""The example as its users have it: built, installed into a folder of its own, and used by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example in it, installed by pip without a network."""
    folder = tmp_path_factory.mktemp("site packages")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *options, str(PLUGIN)], check=True, timeout=120)
    return folder


def trainhealth(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "trainhealth", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_both_parts_are_listed_and_work(site: Path) -> None:
    """`plugins --check` imports them through their entry points."""
    done = trainhealth(site, "plugins", "--check", "--format", "json")
    rows = json.loads(done.stdout)["plugins"]
    ours = [row for row in rows if row["package"] == "trainhealth-example 0.1.0"]
    assert {row["group"] for row in ours} == {"trainhealth.rules", "trainhealth.readers"}
    assert [row["failure"] for row in ours] == [None, None]


def test_the_rule_is_explained_like_a_built_in_one(site: Path) -> None:
    """Its docstring is its page."""
    done = trainhealth(site, "explain", "rare-validation")
    assert "EX01" in done.stdout
    assert "When it is wrong" in done.stdout


def test_a_bench_log_is_read_and_the_rule_judges_it(site: Path, tmp_path: Path) -> None:
    """From the file's bytes to the finding, without a word in the command about either."""
    log = tmp_path / "resnet-a.bench"
    log.write_text("#bench 1 resnet-a\n" + "".join(f"{step} train 1,0\n" for step in range(5002)))
    done = trainhealth(site, "check", str(log), "--format", "json")
    [run] = json.loads(done.stdout)["runs"]
    assert "rare-validation" in [finding["name"] for finding in run["findings"]], done.stderr


def test_its_program_judges_a_log_and_says_where_it_can_not(site: Path, tmp_path: Path) -> None:
    """Run from the folder before the package is installed, it gives a line and no traceback."""
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for environment, code, said in (
        ({**without, "PYTHONPATH": str(site)}, 0, "EX01 rare-validation: "),
        (without, 1, "trainhealth-example is not installed"),
    ):
        command = [sys.executable, str(PLUGIN / "run.py")]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
