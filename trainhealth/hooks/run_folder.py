"""The folder of a run: found or made, never overwritten, and its ``run.json``."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from torch import distributed

from trainhealth.errors import UsageError
from trainhealth.records import RunInfo, encode_info

INFO = "run.json"
HINT = "Pass run_dir= a folder that this process can create and write."


def rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many there are, as torch says, or before it knows the environment.

    Not every launcher sets both variables: Lightning's sets WORLD_SIZE without RANK.
    """
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def open_folder(run_dir: str | os.PathLike[str] | None, model: str, *, resume: bool) -> Path:
    """Return the folder to log into, which exists when this returns.

    A folder that holds a run already gets a number ("baseline-2"), unless the run is resumed. Without `run_dir` the
    name is the time and the model, below ``runs``; under a distributed launcher it is the launcher's id, because ranks
    do not talk to each other.

    Raises:
        UsageError: the folder can't be made or written, or ranks could not agree on one.
    """
    rank, world = rank_and_world()
    wanted = Path(run_dir) if run_dir is not None else Path("runs") / _default_name(model, world)
    if resume:
        return _made(wanted)
    if world > 1:
        if (wanted / f"events-{rank}.jsonl").exists():
            raise UsageError(
                f"{wanted} already holds a log of rank {rank}",
                "Pass another run_dir to all ranks, or resume=True to continue this run.",
            )
        return _made(wanted)
    return _made(_free(wanted))


def write_info(folder: Path, info: RunInfo) -> None:
    """Write ``run.json`` atomically: a reader sees the old one or the new one, never half of it."""
    partial = folder / f".{INFO}.{os.getpid()}"
    partial.write_bytes(encode_info(info))
    os.replace(partial, folder / INFO)


def _free(wanted: Path) -> Path:
    """Return `wanted`, or with the first free number behind it where it holds a run."""
    folder, number = wanted, 1
    if not wanted.name:  # "." has no name to put a number behind
        wanted = wanted.resolve()
    while (folder / INFO).exists() or any(folder.glob("events-*.jsonl")):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"run_dir {str(folder)!r} is not a folder", HINT) from error
    except OSError as error:
        raise UsageError(f"run_dir {str(folder)!r} can't be made: {error.strerror or error}", HINT) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"run_dir {str(folder)!r} can't be written: permission denied", HINT)
    return folder


def _default_name(model: str, world: int) -> str:
    if world == 1:
        return f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{model}"
    launch = next(
        (os.environ[name] for name in ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID") if os.environ.get(name)), "none"
    )
    if launch == "none":
        raise UsageError(
            f"{world} processes train together and the launcher gave them no common id",
            "Pass the same run_dir= to all of them (or torchrun --rdzv-id=NAME).",
        )
    return re.sub(r"[^\w.-]+", "-", f"{launch}-{model}")
