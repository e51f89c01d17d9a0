"""What stands under ``plugins/`` uses what every other package may use, and nothing else of trainhealth."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import trainhealth
from trainhealth.plugins import GROUPS

PLUGINS = Path(__file__).parents[1] / "plugins"
PACKAGES = sorted(path.parent for path in PLUGINS.glob("*/pyproject.toml"))
PARTS = {  # what an author of rules and readers imports
    "trainhealth.findings",
    "trainhealth.readers.base",
    "trainhealth.readers.line_reader",
    "trainhealth.readers.lines",
    "trainhealth.readers.names",
    "trainhealth.readers.rows",
    "trainhealth.records",
    "trainhealth.rules.base",
    "trainhealth.series",
}
every_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


def sources(package: Path) -> list[Path]:
    return sorted(package.glob("trainhealth_*/**/*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@every_package
def test_a_plugin_imports_the_public_door_only(package: Path) -> None:
    """Adapters need `import trainhealth`; the example, which has a rule and a reader, the modules for their authors."""
    assert sources(package)
    allowed = {"trainhealth"} | (PARTS if package.name == "trainhealth-example" else set())
    for path in sources(package):
        names = {name for name in imported(ast.parse(path.read_text())) if name.split(".")[0] == "trainhealth"}
        assert names <= allowed, f"{path}: {names - allowed}"


@every_package
def test_a_plugin_uses_public_names_only(package: Path) -> None:
    """Those in `trainhealth.__all__`; nothing private of the handle."""
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "trainhealth":
                assert node.attr in trainhealth.__all__, f"{path}: trainhealth.{node.attr}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
                watch = node.value.attr in ("_watch", "watch_", "_open")
                assert not (watch and node.attr.startswith("_") and not node.attr.startswith("__")), (
                    f"{path}: {node.attr}"
                )


@every_package
def test_a_plugin_can_be_installed_by_itself(package: Path) -> None:
    """Its project file, README and package have its name, and it asks for trainhealth."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == package.name
    assert any(requirement.startswith("trainhealth>=") for requirement in project["dependencies"])
    module = package.name.replace("-", "_")
    assert (package / module / "py.typed").exists()
    points = project["entry-points"]
    assert points.get("trainhealth.adapters") == {package.name.removeprefix("trainhealth-"): module} or any(
        group in points for group in GROUPS
    )
    readme = (package / "README.md").read_text()
    assert f"pip install ./{package.name}" in readme
    assert len(readme.splitlines()) <= 20
