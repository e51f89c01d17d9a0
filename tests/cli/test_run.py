"""`trainhealth run`: a script behaves as it does without us, in everything that a process can be asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import trainhealth
from tests.hooks.test_harmless import assert_same
from trainhealth.cli import main

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests" / "scripts"
RUN = ["-m", "trainhealth", "run", "--run-dir", "run"]


def python(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in `folder` with `text` as its standard input."""
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, env=environment, timeout=120)


def ours(line: str) -> bool:
    return line.startswith("trainhealth: ")


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Return what the script itself has written to stderr."""
    return "".join(line for line in done.stderr.splitlines(keepends=True) if not ours(line))


@pytest.mark.slow
def test_arguments_streams_and_exit_code_are_the_scripts_own(tmp_path: Path) -> None:
    """sys.argv, `__name__`, `__file__`, sys.path[0], stdin, the exit code and the weights are as without us."""
    script = str(SCRIPTS / "exits.py")
    bare = python(tmp_path / "bare", script, "4", "--lr", "1", text="typed in\n")
    watched = python(tmp_path / "watched", *RUN, script, "4", "--lr", "1", text="typed in\n")
    assert (watched.returncode, watched.stdout, told(watched)) == (bare.returncode, bare.stdout, bare.stderr)
    assert bare.returncode == 3
    assert "typed in" in bare.stdout
    assert_same(torch.load(tmp_path / "bare/result.pt"), torch.load(tmp_path / "watched/result.pt"), "exits")
    view = trainhealth.load(tmp_path / "watched/run").view
    assert len(view.series("train_loss")) == 4
    assert view.ended == "exit"
    assert watched.stderr.splitlines()[-1].endswith("trainhealth check run")


@pytest.mark.slow
def test_a_crash_looks_as_without_us_and_is_in_the_log(tmp_path: Path) -> None:
    """The traceback has the script's frames and none of ours; the log ends with the error."""
    script = str(SCRIPTS / "crashes.py")
    bare = python(tmp_path / "bare", script)
    watched = python(tmp_path / "watched", *RUN, script)
    assert (watched.returncode, told(watched)) == (bare.returncode, bare.stderr)
    assert "IndexError" in bare.stderr
    view = trainhealth.load(tmp_path / "watched/run").view
    assert len(view.series("train_loss")) == 3
    assert view.ended == "exception"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "told_last"),
    [(0, "nothing could be judged: the script raised KeyError before its first step was over"), (2, "no rule found")],
)
def test_a_crash_is_no_health(steps: int, told_last: str, tmp_path: Path) -> None:
    """The last line does not say that nothing is wrong where nothing could be judged, or the script broke off."""
    (tmp_path / "breaks.py").write_text(
        "import torch\n"
        "model = torch.nn.Linear(4, 2)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.01)\n"
        f"for step in range({steps} + 1):\n"
        "    optimizer.zero_grad()\n"
        "    torch.nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(0, 2, (8,))).backward()\n"
        f"    if step == {steps}: raise KeyError(step)\n"
        "    optimizer.step()\n"
    )
    last = python(tmp_path, *RUN, "breaks.py").stderr.splitlines()[-1]
    assert told_last in last
    assert last.endswith("trainhealth check run")


@pytest.mark.slow
def test_a_script_that_is_no_python_is_told_as_python_does(tmp_path: Path) -> None:
    """A syntax error is shown as without us, with the same exit code and no frame of ours, and no run is begun."""
    (tmp_path / "broken.py").write_text("import torch\nmodel = torch.nn.Linear(2, 3\nprint(model)\n")
    bare, watched = python(tmp_path, "broken.py"), python(tmp_path, *RUN, "broken.py")
    assert (watched.returncode, watched.stdout, told(watched)) == (1, "", bare.stderr)
    assert "SyntaxError" in bare.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_interrupt_ends_the_process_by_the_signal(tmp_path: Path) -> None:
    """Ctrl-C prints the script's traceback, and the parent sees a process that has died of SIGINT."""
    script = tmp_path / "interrupted.py"
    script.write_text(  # a background job of a shell ignores the signal, and so do its children: take it back
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('there', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    bare, watched = python(tmp_path, str(script)), python(tmp_path, *RUN, str(script))
    assert bare.returncode == watched.returncode == -signal.SIGINT
    assert told(watched) == bare.stderr
    assert watched.stdout == "there\n"


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_data_loaders_are_not_watched(context: str, tmp_path: Path) -> None:
    """Forked and spawned workers find the script's classes and torch's own functions; the training is the same."""
    script = str(SCRIPTS / "workers.py")
    bare = python(tmp_path / "bare", script, context)
    watched = python(tmp_path / "watched", *RUN, script, context)
    assert (watched.returncode, watched.stdout, told(watched)) == (bare.returncode, bare.stdout, bare.stderr)
    assert bare.returncode == 0, bare.stderr
    assert_same(torch.load(tmp_path / "bare/result.pt"), torch.load(tmp_path / "watched/result.pt"), context)
    assert len(trainhealth.load(tmp_path / "watched/run").view.series("train_loss")) == 4


@pytest.mark.slow
def test_a_module_is_run_as_python_does(tmp_path: Path) -> None:
    """`run -m package.module` finds it from the current folder, with relative imports; a package runs `__main__`."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "name.py").write_text("NAME = 'relative'\n")
    (package / "__main__.py").write_text("print(__package__, __spec__.name)\n")
    line = (
        "import sys\nfrom .name import NAME\nprint(NAME, __name__, __package__, __spec__.name, sys.argv, sys.path[0])\n"
    )
    (package / "train.py").write_text(line)
    for name in ("package.train", "package"):
        bare, watched = python(tmp_path, "-m", name, "--lr", "1"), python(tmp_path, *RUN, "-m", name, "--lr", "1")
        assert bare.returncode == 0, bare.stderr
        assert (watched.returncode, watched.stdout, told(watched)) == (0, bare.stdout, bare.stderr)


@pytest.mark.slow
def test_the_environment_that_a_script_sets_reaches_torch(tmp_path: Path) -> None:
    """torch is not imported before the script does: the number of threads, which it sets first, is in force."""
    script = tmp_path / "threads.py"
    script.write_text(
        "import os, sys\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "os.environ['OMP_NUM_THREADS'] = '3'\n"
        "import torch\n"
        "print(torch.get_num_threads(), torch.__spec__.loader.__class__.__name__)\n"
    )
    bare, watched = python(tmp_path, str(script)), python(tmp_path, *RUN, str(script))
    assert (watched.returncode, watched.stdout, told(watched)) == (0, bare.stdout, "")
    assert "no training was seen" in watched.stderr


@pytest.mark.slow
def test_a_script_that_watches_itself_is_left_alone(tmp_path: Path) -> None:
    """Where the script calls `trainhealth.watch`, run adds nothing and says so: there is one log, the script's."""
    script = tmp_path / "own.py"
    script.write_text(
        "import torch, trainhealth\n"
        "model = torch.nn.Linear(2, 1)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "with trainhealth.watch(model, optimizer, run_dir='own') as watch:\n"
        "    for _ in range(3):\n"
        "        loss = model(torch.ones(4, 2)).square().mean()\n"
        "        optimizer.zero_grad(); loss.backward(); optimizer.step(); watch.step(loss)\n"
    )
    done = python(tmp_path, *RUN, str(script))
    assert done.returncode == 0, done.stderr
    assert "run adds nothing" in done.stderr
    assert not (tmp_path / "run").exists()
    assert len(trainhealth.load(tmp_path / "own").view.series("train_loss")) == 3


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    """The script goes on, unwatched, where the log can't be made."""
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched/run").write_text("a file is in the way")
    done = python(tmp_path / "watched", *RUN, str(SCRIPTS / "exits.py"), "2")
    assert done.returncode == 3
    assert done.stderr.count("is not a folder") == 1
    assert "The script goes on" in done.stderr


@pytest.mark.parametrize("name", ["absent.py", "."])
def test_a_script_that_is_not_there_is_a_usage_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names it; nothing is run."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", name]) == 2
    assert name in capsys.readouterr().err


def test_a_module_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """As for a script."""
    assert main(["run", "-m", "no.such.module"]) == 2
    assert "no.such.module" in capsys.readouterr().err


ANEW = """
import torch
from torch import nn
data, labels = torch.randn(64, 4), torch.randint(0, 2, (64,))
for _ in range(5):
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for rows, answers in zip(data.split(8), labels.split(8)):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(rows), answers).backward()
        optimizer.step()
"""


@pytest.mark.slow
def test_many_models_have_a_log_each_and_one_line_that_tells_of_a_loop(tmp_path: Path) -> None:
    """Folds are logged apart; who made the model inside the loop over the epochs is told so, and where to look."""
    script = tmp_path / "anew.py"
    script.write_text(ANEW)
    watched = python(tmp_path / "watched", *RUN, str(script))
    assert sorted(path.name for path in (tmp_path / "watched").iterdir()) == ["run", "run-2", "run-3", "run-4", "run-5"]
    lines = watched.stderr.splitlines()
    assert [line for line in lines if "holds a run already" in line] == []
    assert lines[0].startswith("trainhealth: 5 models were trained one after the other, each with its log in ")
    assert "make it, and its optimizer, before" in lines[0]
    assert len(lines) == 4
