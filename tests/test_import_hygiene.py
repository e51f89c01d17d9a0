"""What each entry loads, seen at run time.

The import contracts in ``pyproject.toml`` read the static graph and cannot tell an import at the top of a module from
one that is deferred into a function; here the real thing runs in a process of its own, which then looks at what it
has loaded.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "textual", "pandas", "numpy", "rich", "msgspec", "sklearn")

LOG = b"""\
{"kind":"start","step":0,"time":1.0}
{"kind":"step","step":0,"time":1.0,"train_loss":2.3,"learning_rate":0.1}
{"kind":"step","step":1,"time":1.1,"train_loss":2.2}
{"kind":"step","step":2,"time":1.2,"train_loss":"NaN"}
{"kind":"end","step":3,"time":1.3}
"""


@pytest.fixture
def run(tmp_path: Path) -> str:
    """A small run, written by hand."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text('{"schema_version": 1}')
    (folder / "events-0.jsonl").write_bytes(LOG)
    return str(folder)


def loaded(code: str) -> set[str]:
    """Return which of the heavy packages are loaded after `code` has run in a fresh process."""
    look = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def command(*arguments: str) -> str:
    return f"from trainhealth.cli import main; main({list(arguments)!r})"


def test_importing_the_package_loads_nothing_heavy() -> None:
    """`import trainhealth` stands at the top of training scripts: its names are resolved on first use."""
    assert loaded("import trainhealth") == set()


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("chekc",)])
def test_help_answers_without_loading_anything(arguments: tuple[str, ...]) -> None:
    """Help in under 0.2 s has no time for numpy or rich."""
    assert loaded(command(*arguments)) == set()


@pytest.mark.parametrize("form", ["text", "json"])
def test_check_loads_neither_torch_nor_textual_nor_pandas(run: str, form: str) -> None:
    """CI machines that look at logs have no torch, and do not wait for it."""
    assert loaded(command("check", run, "--format", form)) & {"torch", "textual", "pandas", "sklearn"} == set()


@pytest.mark.parametrize("name", ["explain", "rules", "recipes", "info"])
def test_looking_things_up_loads_neither_torch_nor_textual_nor_pandas(run: str, name: str) -> None:
    """Snippets of recipes are text, not code that is run."""
    arguments = {"explain": ("explain", "he-initialization"), "info": ("info", run)}.get(name, (name,))
    assert loaded(command(*arguments)) & {"torch", "textual", "pandas", "sklearn"} == set()


def test_live_never_loads_torch(run: str) -> None:
    """The dashboard runs beside the job, and must not take its memory."""
    assert loaded(command("live", run, "--once")) & {"torch", "sklearn"} == set()


def test_diagnosing_in_python_loads_neither_torch_nor_textual_nor_pandas(run: str) -> None:
    """`trainhealth.check` is the same diagnosis as the command line's."""
    code = f"import trainhealth; trainhealth.check({run!r}).to_json()"
    assert loaded(code) & {"torch", "textual", "pandas", "sklearn"} == set()
