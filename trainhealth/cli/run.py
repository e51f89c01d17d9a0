"""``trainhealth run``: watch the training of an unchanged script."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from trainhealth.cli.narration import say
from trainhealth.cli.program import Program
from trainhealth.errors import TrainHealthError

if TYPE_CHECKING:
    from trainhealth.diagnosis import Report
    from trainhealth.hooks.script import Script

NAMED = 3  # runs that are diagnosed at the end; of more, the last ones
_ONE_AFTER_THE_OTHER = (
    "trainhealth: {count} models were trained one after the other, each with its log in {folder}. If they were meant to"
    " be one, the model is made inside the loop: make it, and its optimizer, before. The last ones:"
)


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--run-dir", type=click.Path(path_type=Path), help="Where to log (default: runs/<time>-<model>).")
@click.option("-m", "module", is_flag=True, help="SCRIPT is the name of a module, as for python -m.")
@click.argument("script")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
def run(run_dir: Path | None, module: bool, script: str, arguments: tuple[str, ...]) -> None:
    """Run a training script, unchanged, and watch its training.

    The script sees its own arguments, and ends as it does without us: output, exit code, tracebacks. Models,
    optimizers, losses, accuracies and evaluations are found as they pass by. At the end one line on stderr says where
    the log is, and what is wrong.
    """
    program = Program(script, arguments, module=module)
    observing = Observing(None if run_dir is None else run_dir.absolute())
    observing.wait_for_torch()
    error = program.run()
    if error is not None:
        program.tell(error)
    observing.end(error)
    sys.exit(program.leave(error))


class Observing(MetaPathFinder):
    """Begins to watch as soon as the script has imported torch.

    Not earlier: torch and numpy read the environment when they are imported (the number of threads, which decides on
    the last bits of sums), and the script may set it first.
    """

    def __init__(self, run_dir: Path | None) -> None:
        self._run_dir = run_dir
        self._script: Script | None = None
        self._owner = os.getpid()

    def wait_for_torch(self) -> None:
        """Be there when torch is imported; where it is already, begin."""
        if "torch" in sys.modules:
            self._begin()
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find torch as the others do, and have `_begin` called when it has been loaded."""
        if fullname != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader = spec.loader if spec is not None else None
        if loader is not None and hasattr(loader, "exec_module"):
            vars(loader)["exec_module"] = self._then_begin(loader, loader.exec_module)
        return spec

    def _then_begin(self, loader: Any, execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        def exec_module(module: ModuleType) -> None:
            del vars(loader)["exec_module"]
            execute(module)
            self._begin()

        return exec_module

    def _begin(self) -> None:
        try:
            from trainhealth import watching
            from trainhealth.hooks.script import Script

            watch = watching.watch

            def begin(models: Mapping[str, Any], optimizers: Mapping[str, Any]) -> watching.Watch:
                one = models[""] if list(models) == [""] else models
                return watch(one, optimizers, run_dir=self._next_folder())

            script = self._script = Script(begin)
            script.patches.replace(watching, "watch", lambda original: _told(script, original))
        except Exception as error:  # noqa: BLE001  # the script runs in any case
            say(f"trainhealth: watching is not possible: {type(error).__name__}: {error}. The script goes on.")

    def _next_folder(self) -> Path | None:
        """Return where the next model that the script trains is logged: the first one as asked, others numbered."""
        trained = len(self._script.folders) if self._script is not None else 0
        if self._run_dir is None or not trained:
            return self._run_dir
        return self._run_dir.with_name(f"{self._run_dir.name}-{trained + 1}")

    def end(self, error: BaseException | None) -> None:
        """Close the log and say in a line what came of it."""
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(self)
        if os.getpid() != self._owner:
            return  # a child that the script has forked comes by here, too
        try:
            if self._script is not None:
                self._script.end(error)
            for line in _summary(self._script):
                say(line)
        except Exception as defect:  # noqa: BLE001  # the script's exit code must not depend on us
            with contextlib.suppress(Exception):
                say(f"trainhealth: the log can't be diagnosed: {type(defect).__name__}: {defect}")


def _told(script: Script, watch: Callable[..., Any]) -> Callable[..., Any]:
    """Return `watch` for a script that watches its training itself: run then adds nothing."""

    def stand_down_and_watch(*args: Any, **kwargs: Any) -> Any:
        if not script.stood_down:
            script.stand_down()
            say("trainhealth: the script calls trainhealth.watch itself: run adds nothing")
        return watch(*args, **kwargs)

    return stand_down_and_watch


def _summary(script: Script | None) -> list[str]:
    if (script is not None and script.stood_down) or os.environ.get("RANK", "0") != "0":
        return []
    if script is None or not script.folders:
        return ["trainhealth: no training was seen (no optimizer of torch has made a step): nothing is logged"]
    lines = [_verdict(folder) for folder in script.folders[-NAMED:]]
    left_out = len(script.folders) - len(lines)
    if left_out:
        lines.insert(0, _ONE_AFTER_THE_OTHER.format(count=len(script.folders), folder=script.folders[0].parent))
    return lines


def _verdict(folder: Path) -> str:
    from trainhealth.diagnosis import check

    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    try:
        report = check(folder)
    except TrainHealthError as error:
        return f"trainhealth: {shown} can't be diagnosed: {error.message}"
    findings = report.findings
    if not findings:
        return f"trainhealth: {_without_findings(report)}. The log: trainhealth check {shown}"
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"trainhealth: {findings[0].message}{more} What to do: trainhealth check {shown}"


def _without_findings(report: Report) -> str:
    """Return what it means that nothing was found; of a run that broke off, or hardly began, it is no health."""
    from trainhealth.reports.silence import Silence, silence_of
    from trainhealth.rules.engine import all_rules

    view = report.run.view
    if view.error is not None:
        if view.last_step < 0:
            return f"nothing could be judged: the script raised {view.error.type} before its first step was over"
        return f"no rule found anything before the script raised {view.error.type}"
    silence = silence_of(view, report.not_checked, len(all_rules()))
    if silence is Silence.UNCHECKED:
        return "nothing could be judged"
    return "nothing was found wrong" if silence is Silence.HEALTHY else f"nothing was found wrong, but {silence.value}"
