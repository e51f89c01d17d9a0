"""``trainhealth check --dask ADDRESS``: runs diagnosed by the workers of a Dask cluster that is there already."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from trainhealth.cli.many import Place, check_place
from trainhealth.config import load_config
from trainhealth.errors import LogError, TrainHealthError, UsageError
from trainhealth.reports.base import Checked, Unreadable

PATIENCE = "10s"  # for an answer of the scheduler


def check_on_cluster(address: str, places: Sequence[Place], names: Mapping[str, str]) -> Iterator[Checked]:
    """Yield the diagnosis of every run, in order; the workers have to see the same files, and the project is ours.

    Raises:
        UsageError: Dask is not installed, or no scheduler answers; or the project's settings are off.
    """
    try:
        from distributed import Client
    except ImportError as error:
        hint = "Install it: pip install 'trainhealth[dask]'"
        raise UsageError(f"--dask needs the package distributed ({error})", hint) from error
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]  # it is
    except (OSError, ValueError) as error:  # also when it has taken too long
        hint = "Pass the address that the scheduler has printed, such as tcp://host:8786."
        raise UsageError(f"no Dask scheduler answers at {address} ({error})", hint) from error
    check = partial(check_place, names=names, options=load_config().rules)
    with client:
        seen = [
            Place(os.path.abspath(place.path), place.name) for place in places
        ]  # workers have other current folders
        futures = deque(client.map(check, seen, pure=False))  # a log may have grown since it was diagnosed last
        for place in places:
            future = futures.popleft()  # what nobody holds any more the workers forget
            try:
                checked = future.result()
            except TrainHealthError:
                raise
            except Exception as error:  # noqa: BLE001  # whatever happens to a worker, the other runs are diagnosed
                fact = f"{place.name}: no worker of the cluster could diagnose it ({type(error).__name__}: {error})"
                hint = "The workers need the same version of trainhealth as this one."
                checked = Unreadable(place.name, LogError(fact, hint))
            yield checked
