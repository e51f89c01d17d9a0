"""``check --dask``: on a cluster of two workers the same comes in the same order, whatever happens to a worker."""

from __future__ import annotations

import sys

import pytest

from trainhealth.cli import cluster, main
from trainhealth.cli.cluster import check_on_cluster
from trainhealth.cli.many import Place
from trainhealth.diagnosis import Report
from trainhealth.errors import UsageError
from trainhealth.reports.base import Unreadable

distributed = pytest.importorskip("distributed", reason="distributed is not installed: pip install distributed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),  # Dask's own
]


@pytest.fixture(scope="module")
def address():
    """Two workers, each a process."""
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": None}
    with distributed.LocalCluster(**settings) as local:
        yield local.scheduler_address


def test_runs_come_in_the_order_in_which_they_were_named(address, write_run):
    """Under the names that they have here, although workers have another current folder; also what can't be read."""
    paths = [write_run(f"r{place}", [2.0] * (place + 1)) for place in (3, 0, 2, 1)]
    paths.insert(2, "missing")
    checked = list(check_on_cluster(address, [Place(path, path) for path in paths], {}))
    assert [one.path if isinstance(one, Unreadable) else one.run.path for one in checked] == paths
    assert checked[2].error.message == "missing: there is no such file or folder"
    assert [one.run.view.last_step for one in checked if isinstance(one, Report)] == [3, 0, 2, 1]


def test_what_is_set_here_holds_there(address, write_run, tmp_path, capsys):
    """The name of a column, and the options of rules: the workers' folders have no such project."""
    rows = "".join(f"{epoch},{2 / (epoch + 1)}\n" for epoch in range(9)) + "9,nan\n"
    (tmp_path / "odd.csv").write_text(f"epoch,mine\n{rows}")
    arguments = ["check", "odd.csv", "--map", "train_loss=mine", "--dask", address]
    assert main(arguments) == 1
    assert "odd.csv" in capsys.readouterr().out
    (tmp_path / "pyproject.toml").write_text("[tool.trainhealth.rules.nonfinite-loss]\nno_option = 3\n")
    assert main(arguments) == 2
    assert "no_option" in capsys.readouterr().err


def test_a_worker_that_fails_hides_nothing_of_the_others(address, write_run, monkeypatch):
    """Its run is told as one that could not be diagnosed, in its place."""
    monkeypatch.setattr(cluster, "check_place", _exploding)
    places = [Place("bad", "bad"), Place(write_run("good"), "good")]
    bad, good = check_on_cluster(address, places, {})
    assert isinstance(bad, Unreadable)
    assert bad.error.message == "bad: no worker of the cluster could diagnose it (MemoryError: full)"
    assert good == "good"


def _exploding(place, names, options):
    if place.name == "bad":
        raise MemoryError("full")
    return place.name


def test_settings_that_are_off_end_it(address, write_run):
    """They hold for all runs."""
    run = write_run()
    with pytest.raises(UsageError):
        list(check_on_cluster(address, [Place(run, run)], {"no_signal": "loss"}))


def test_an_address_that_means_another_machine_is_refused(address, capsys):
    """What is brought here the workers would not see."""
    assert main(["check", "memory://lab", "--dask", address]) == 2
    assert "Copy it to a folder that they share" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_said(write_run, monkeypatch, capsys):
    """With its address, and without a traceback."""
    monkeypatch.setattr(cluster, "PATIENCE", "100ms")
    assert main(["check", write_run(), "--dask", "tcp://127.0.0.1:1"]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: no Dask scheduler answers at tcp://127.0.0.1:1")
    assert "Traceback" not in captured.err


def test_without_dask_it_says_what_to_install(write_run, monkeypatch, capsys):
    """The package is an extra."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["check", write_run(), "--dask", "tcp://127.0.0.1:1"]) == 2
    assert "pip install 'trainhealth[dask]'" in capsys.readouterr().err
