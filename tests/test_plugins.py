"""The door for plugins: everything comes through it, and what fails to load costs one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trainhealth import plugins


class Part:
    """A base class, as Rule or Reader is."""


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Make entry points of a group out of functions of this module's namespace."""

    def make(**functions: Any) -> None:
        points = [EntryPoint(name, f"fake_plugin:{name}", "trainhealth.rules") for name in functions]
        module = ModuleType("fake_plugin")
        vars(module).update({name: function for name, function in functions.items() if function is not None})
        monkeypatch.setitem(sys.modules, "fake_plugin", module)
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in points if p.group == group])
        plugins.load.cache_clear()

    yield make
    plugins.load.cache_clear()


def test_built_in_parts_come_through_the_same_door() -> None:
    """A group without them would mean that the package is not installed as it is declared."""
    for group in ("trainhealth.rules", "trainhealth.readers", "trainhealth.reports"):
        assert plugins.load(group), group


def test_built_in_parts_come_first_then_plugins_by_name(install: Callable[..., None]) -> None:
    """So that the order does not depend on the order of installation."""
    install(zebra=lambda: ["z"], builtin=lambda: ["b1", "b2"], ant=lambda: iter(["a"]))
    assert plugins.load("trainhealth.rules") == ("b1", "b2", "a", "z")


def _raise(error: BaseException) -> Callable[[], list[str]]:
    def function() -> list[str]:
        raise error

    return function


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (None, "AttributeError"),
        (_raise(RuntimeError("no GPU")), "RuntimeError: no GPU"),
        (_raise(SystemExit(3)), "SystemExit: 3"),
        ("not a function", "TypeError"),
        (lambda: 7, "TypeError"),
    ],
    ids=["missing", "raises", "exits", "no function", "no list"],
)
def test_a_plugin_that_fails_costs_one_line_and_the_rest_goes_on(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str], broken: Any, cause: str
) -> None:
    """The line names the plugin and the cause; it comes once."""
    install(builtin=lambda: ["b"], broken=broken, works=lambda: ["w"])
    for _ in range(2):
        assert plugins.load("trainhealth.rules") == ("b", "w")
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert line.startswith("trainhealth: plugin broken could not be loaded: ")
    assert cause in line


def test_the_line_names_the_distribution_and_its_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """So that the user knows what to update or to remove."""
    info = tmp_path / "example_plugin-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-plugin\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[trainhealth.reports]\nexample = no_such_module:parts\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        plugins.load.cache_clear()
        plugins.load("trainhealth.reports")
    plugins.load.cache_clear()
    assert "plugin example (example-plugin 1.2) could not be loaded: ModuleNotFoundError" in capsys.readouterr().err


def test_a_file_that_fails_costs_one_line_and_its_own_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule with a slip must not take all the others with it; the line names the file."""
    package = tmp_path / "half_broken_for_test"
    (package / "broken_folder").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "good.py").write_text(f"from {__name__} import Part\nclass Good(Part): ...\n")
    (package / "bad.py").write_text("import no_such_module_at_all\n")
    (package / "broken_folder" / "__init__.py").write_text("raise ValueError('slip')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import half_broken_for_test  # type: ignore[import-not-found]  # made above

    assert [part.__name__ for part in plugins.discover(half_broken_for_test, Part)] == ["Good"]
    folder, file = sorted(capsys.readouterr().err.splitlines(), reverse=True)
    assert f"{package / 'broken_folder' / '__init__.py'} could not be loaded: ValueError: slip" in folder
    assert f"{package / 'bad.py'} could not be loaded: ModuleNotFoundError" in file


def test_a_new_part_is_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in any folder below the package; the base, what is imported, and what is of another kind are not parts."""
    package = tmp_path / "parts_for_test"
    (package / "deep").mkdir(parents=True)
    for folder in (package, package / "deep"):
        (folder / "__init__.py").touch()
    base = f"from {__name__} import Part\n"
    (package / "first.py").write_text(f"{base}class First(Part): ...\nclass Other: ...\n")
    (package / "deep" / "second.py").write_text(
        f"{base}from parts_for_test.first import First\nclass Second(First): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import parts_for_test  # type: ignore[import-not-found]  # made above

    assert [part.__name__ for part in plugins.discover(parts_for_test, Part)] == ["Second", "First"]


def test_plugins_are_listed_without_being_imported(install: Callable[..., None]) -> None:
    """What fails is known only when it is tried."""
    install(builtin=lambda: ["b"], good=lambda: ["g"], broken=lambda: 1 / 0)
    points = plugins.installed("trainhealth.rules")
    assert [point.name for point in points] == ["broken", "good"]
    assert [plugins.failure(point) for point in points] == ["ZeroDivisionError: division by zero", None]


def test_adapters_are_listed_and_their_import_is_what_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are modules, which the user's script calls: nothing here does."""
    points = [EntryPoint(name, f"adapter_{name}", plugins.ADAPTERS) for name in ("keras", "there")]
    monkeypatch.setitem(sys.modules, "adapter_there", ModuleType("adapter_there"))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [p for p in points if p.group == group])
    assert [point.name for point in plugins.installed(plugins.ADAPTERS)] == ["keras", "there"]
    failures = [plugins.failure(point) for point in points]
    assert failures == ["ModuleNotFoundError: No module named 'adapter_keras'", None]
