"""The command line: one subcommand a file, loaded only when it is called, so that ``--help`` answers at once."""

from __future__ import annotations

import difflib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

import click

from trainhealth import __version__
from trainhealth.cli.exit_codes import ExitCode
from trainhealth.cli.narration import say, say_error
from trainhealth.errors import LogError, TrainHealthError

# A subcommand `name` is the click command `name` in the module `trainhealth.cli.name`. Its line of help stands here,
# because help that has to import the subcommands would have to import numpy and rich with them.
COMMANDS = {
    "live": "Follow a run while it trains (the newest one, where none is named).",
    "check": "Diagnose runs: what is wrong, why, and what to do.",
    "run": "Run a training script, unchanged, and watch its training.",
    "checkup": "Look at a model, its data and its optimizer before the long run.",
    "compare": "Compare two runs: did the fix work?",
    "sweep": "Say what a search for hyperparameters has found, and where to look next.",
    "info": "Say what a log holds.",
    "explain": "Explain a rule or a recipe.",
    "rules": "List the illnesses that can be recognised.",
    "recipes": "List or search the remedies.",
    "export": "Write a run as CSV, JSON lines, Parquet or a log of ours.",
    "import": "Keep another tool's log as a run folder.",
    "plugins": "List the installed plugins.",
    "demo": "Train a small network with an illness of your choice and watch the diagnosis.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"{__name__}.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["live"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        close = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        if not close and Path(name).exists():
            hint = f" To diagnose that path: trainhealth check {name}"
        raise click.UsageError(f"There is no command {name!r}.{hint}", ctx)


@click.group(
    cls=_LazyGroup,
    subcommand_metavar="[COMMAND] [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """A doctor for training runs.

    Without a command it follows the newest run below the current folder.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (by default with the arguments of the process) and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and arguments[:1] != ["run"]:  # there the streams are the script's
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows "?", and nothing fails
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would complain about the closed pipe then
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PIPE_CLOSED
    return code


def _run(arguments: list[str]) -> int:
    try:
        with cli.make_context("trainhealth", arguments) as ctx:
            code = cli.invoke(ctx)
    except click.exceptions.Exit as end:  # --help and --version
        return end.exit_code
    except click.ClickException as error:
        sys.stdout.flush()
        error.show()
        return ExitCode.USAGE
    except LogError as error:
        say_error(error)
        return ExitCode.UNREADABLE
    except TrainHealthError as error:
        say_error(error)
        return ExitCode.USAGE
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001  # a crash must not look like a finding (1): CI tells them apart by the code
        say(traceback.format_exc().rstrip())
        say("error: this is a defect of trainhealth: please report it with the lines above")
        return ExitCode.DEFECT
    return code if isinstance(code, int) else ExitCode.OK
