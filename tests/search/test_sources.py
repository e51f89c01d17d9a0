"""Tables, storages and folders: the same search, however it was written down."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trainhealth.errors import LogError, UsageError
from trainhealth.search.analysis import Search
from trainhealth.search.columns import Goal, trials_of
from trainhealth.search.sources import read_search

ROWS = [(0.001, "relu", 0.91), (0.01, "tanh", 0.95), (0.1, "relu", math.nan), (0.003, "tanh", 0.93)]


def written(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def seen(trials):
    """What a search holds, without NaN, which is not equal to itself."""
    return [(trial.settings["lr"], trial.settings["act"], trial.score == trial.score) for trial in trials.trials]


EXPECTED = [(0.001, "relu", True), (0.01, "tanh", True), (0.1, "relu", False), (0.003, "tanh", True)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "lr,act,val_acc\n" + "".join(f"{lr},{act},{score}\n" for lr, act, score in ROWS)),
        ("b.csv", "# a comment\nlr;act;val_acc\n0,001;relu;0,91\n0,01;tanh;0,95\n0,1;relu;\n0,003;tanh;0,93\n"),
        ("c.jsonl", "".join(json.dumps({"lr": lr, "act": a, "val_acc": s}) + "\n" for lr, a, s in ROWS)),
        ("d.json", json.dumps([{"config": {"lr": lr, "act": a}, "val_acc": s} for lr, a, s in ROWS])),
    ],
)
def test_a_table_is_read_in_any_of_its_forms(tmp_path, name, text):
    """CSV with commas or decimal commas, JSON lines, a JSON list with nested settings; no score is a failed trial."""
    trials = read_search(written(tmp_path, name, text), Goal())
    assert (seen(trials), trials.score, trials.maximize) == (EXPECTED, "val_acc", True)


@pytest.fixture
def study(tmp_path):
    """A function that makes a small study in a storage, with a pruned, a failed and a running trial."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
        trial.suggest_categorical("act", ["relu", "tanh"])
        if trial.number == 1:
            raise optuna.TrialPruned
        return math.nan if trial.number == 2 else lr

    def make(storage):
        sampler = optuna.samplers.RandomSampler(seed=1)  # with two values of each setting among the trials
        made = optuna.create_study(storage=storage, direction="maximize", study_name="first", sampler=sampler)
        made.enqueue_trial({"lr": 0.001, "act": "relu"})
        made.optimize(objective, n_trials=5)
        made.ask()
        return made

    return make


def check_study(trials, made):
    assert (trials.maximize, trials.score, trials.settings) == (True, "value", ("lr", "act"))
    assert [trial.settings["lr"] for trial in trials.trials] == [trial.params["lr"] for trial in made.trials[:5]]
    assert [trial.score == trial.score for trial in trials.trials] == [True, False, False, True, True]
    assert (trials.spaces["lr"].low, trials.spaces["lr"].high, trials.spaces["lr"].log) == (1e-4, 1e-1, True)
    assert trials.notes == ("trials that are not over yet: 1",)


@pytest.mark.filterwarnings("default")
def test_an_optuna_database_is_read_without_optuna(tmp_path, study):
    """Direction, distributions, choices; pruned and failed trials are the worst, a running one is left out."""
    made = study(f"sqlite:///{tmp_path}/o.db")
    check_study(read_search(f"sqlite:///{tmp_path}/o.db", Goal()), made)
    with pytest.raises(UsageError, match="no study 'other'"):
        read_search(f"{tmp_path}/o.db", Goal(), "other")


@pytest.mark.filterwarnings("default")
def test_an_optuna_database_is_read_while_the_search_writes_its_log(tmp_path, study):
    """What is committed counts, wherever it stands; nothing beside the database is made or changed."""
    path = tmp_path / "o.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        made = study(f"sqlite:///{path}")
        before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
        assert before["o.db-wal"]
        check_study(read_search(str(path), Goal()), made)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.filterwarnings("default")
def test_an_optuna_journal_is_read_like_a_database(tmp_path, study):
    """The other storage of one machine."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    made = study(JournalStorage(JournalFileBackend(str(tmp_path / "journal.log"))))
    check_study(read_search(str(tmp_path / "journal.log"), Goal()), made)


def test_a_folder_of_runs_is_a_search(tmp_path):
    """Hyperparameters and optimizer settings against the best validation; a run whose loss became NaN has failed."""
    torch = pytest.importorskip("torch")
    import trainhealth

    for number, (rate, accuracy) in enumerate([(0.1, 0.8), (0.01, 0.9), (1.0, math.nan)]):
        model = torch.nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        settings = {"width": 2**number}
        with trainhealth.watch(model, optimizer, run_dir=tmp_path / f"run{number}", hyperparameters=settings) as watch:
            loss = model(torch.ones(4, 2)).mean()
            loss.backward()
            optimizer.step()
            watch.step(loss if accuracy == accuracy else math.nan)
            watch.epoch(validation_accuracy=accuracy if accuracy == accuracy else 0.95)
    trials = read_search(str(tmp_path), Goal())
    assert (trials.score, trials.maximize, set(trials.settings)) == ("validation_accuracy", True, {"lr", "width"})
    assert trials.best == 1
    assert trials.failed == 1


@pytest.mark.parametrize(
    ("header", "score", "maximize"),
    [
        ("lr,train_loss,val_loss,val_acc", "val_acc", True),
        ("lr,train_loss,val_loss", "val_loss", False),
        ("param_C,mean_fit_time,mean_test_score,std_test_score,rank_test_score", "mean_test_score", True),
        ("lr,rmse", "rmse", False),
    ],
)
def test_the_score_is_found_by_its_name(header, score, maximize):
    """Validation before training, accuracy before loss; times, ranks and deviations are none."""
    columns = header.split(",")
    rows = [dict.fromkeys(columns, number / 10) for number in range(1, 4)]
    trials = trials_of(rows, "t.csv", Goal())
    assert (trials.score, trials.maximize) == (score, maximize)
    assert trials.settings == (columns[0].removeprefix("param_"),)


def test_columns_that_are_no_settings_are_left_out_and_told():
    """Numbers, seeds, times and other measurements are not what was searched."""
    rows = [{"trial": i, "seed": i % 2, "lr": 0.1 * i, "val_loss": 1.0 * i, "train_loss": 2.0 * i} for i in range(1, 5)]
    trials = trials_of(rows, "t.csv", Goal())
    assert trials.settings == ("lr",)
    assert trials.notes == ("columns that are no settings: seed, train_loss",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no trial in it"),
        ("[]", "no trial in it"),
        ("lr,val_loss\n", "no trial in it"),
        ("lr\n1\n2\n", "no table of trials"),
        ("lr,width\n1,2\n2,3\n", "no column is a score"),
        ("lr,value\n1,2\n2,3\n", "does not say whether a high or a low"),
        ("{broken\n", "no JSON"),
    ],
)
def test_what_is_no_search_is_an_error_that_says_so(tmp_path, text, message):
    """An empty file, a table without a score, a score without a direction, no JSON."""
    with pytest.raises((LogError, UsageError), match=message):
        read_search(written(tmp_path, "t.csv", text), Goal())


def test_a_missing_file_and_a_foreign_database_are_errors(tmp_path):
    """Neither is a traceback."""
    with pytest.raises(LogError, match="No such file"):
        read_search(str(tmp_path / "none.csv"), Goal())
    (tmp_path / "x.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(LogError, match="no Optuna storage"):
        read_search(str(tmp_path / "x.db"), Goal())
    with pytest.raises(UsageError, match="not read"):
        read_search("mysql://host/search", Goal())


CELLS = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(10**6), 10**6),
    st.sampled_from(["", "relu", "nan", "1e-3", "True", "inf", "0"]),
    st.booleans(),
)


@given(st.lists(st.fixed_dictionaries({"lr": CELLS, "knob": CELLS, "val_loss": CELLS}), min_size=1, max_size=30))
@example([{"lr": 0.1, "knob": knob, "val_loss": 1.0} for knob in (1e202, 1e-107)])  # further apart than floats reach
@settings(max_examples=60, deadline=None)
def test_no_table_makes_the_analysis_fail(rows):
    """NaN, infinity, words among numbers, nothing at all: an analysis, or a reason why there is none."""
    from trainhealth.sweeping import judged

    try:
        trials = trials_of(rows, "t.csv", Goal("val_loss", False))
    except LogError:
        return
    told = json.loads(judged(Search(trials), {}).to_json())["search"]
    assert told["trials"] == len(rows)
    assert told["lacking"] or {one["name"] for one in told["settings"]} <= {"lr", "knob"}
