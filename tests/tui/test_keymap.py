"""Keys of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.cases import snapshot
from tests.tui.screen import dashboard, main_screen, opened, screen_text
from trainhealth.errors import UsageError
from trainhealth.tui.commands import SECTIONS
from trainhealth.tui.help_page import help_page
from trainhealth.tui.keymap import load_keymap, shown_keys
from trainhealth.tui.lines import plain

COMMANDS = {command.id: command for _, commands in SECTIONS for command in commands}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def test_the_project_comes_before_the_person(file: Path) -> None:
    """What only one of them sets holds as well."""
    file.write_text('pause = "z"\nhelp = "f1, ?"\n')
    assert load_keymap({"pause": "f2"}, file) == {"pause": "f2", "help": "f1,?"}


def test_without_settings_the_keys_are_as_they_come(file: Path) -> None:
    """Most people have no such file."""
    assert load_keymap({}, file) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('paus = "z"', "no command 'paus'.*\n.*Did you mean 'pause'"),
        ('pause = "ctr+z"', "there is no key 'ctr\\+z'"),
        ('pause = "pagedwn"', "there is no key 'pagedwn'"),
        ("pause = 3", "names no key"),
        ('pause = " "', "names no key"),
        ("pause = z", "no valid TOML"),
        ('pause = "h"\nhelp = "h"', "the key 'h' would be that of"),
        ('pause = "q"', "the key 'q' would be that of 'quit' and of 'pause'"),
        ('pause = "question_mark"', "that of 'help' and of 'pause'"),
        ('page-bottom = "ctrl+c"', "that of 'page-bottom' and of 'leave'"),
    ],
)
def test_what_is_off_is_an_error_that_names_it(file: Path, text: str, said: str) -> None:
    """A key that does nothing, or not what one thinks, would be worse than a start that fails."""
    file.write_text(text)
    with pytest.raises(UsageError, match=f"(?s){said}"):
        load_keymap({}, file)


def test_keys_may_change_places(file: Path) -> None:
    """It is the outcome that must be without clashes."""
    file.write_text('pause = "t"\nnext-theme = "p"\n')
    assert load_keymap({}, file) == {"pause": "t", "next-theme": "p"}


@pytest.mark.parametrize(
    ("keys", "shown"), [("z", "z"), ("question_mark,f1", "? f1"), ("ctrl+a", "ctrl+a"), (",", ","), ("up,Z", "↑ Z")]
)
def test_keys_are_shown_as_people_call_them(keys: str, shown: str, file: Path) -> None:
    """In the help and in the palette."""
    file.write_text(f'show-muted = "{keys}"\nhelp = "f9"\nup = "f8"\n')
    assert shown_keys(COMMANDS["show-muted"], load_keymap({}, file)) == shown


def test_the_help_shows_the_keys_that_hold(file: Path) -> None:
    """Who has changed a key looks here to see whether it worked."""
    row = next(plain(row) for row in help_page(100, {"pause": "z"}) if "Freeze the screen" in plain(row))
    assert row.split()[0] == "z"


async def test_changed_keys_work_and_the_old_ones_do_not() -> None:
    """The footer and the palette name the new one."""
    async with opened(snapshot(), keymap={"pause": "z,comma"}) as pilot:
        await pilot.press("p")
        assert not main_screen(pilot).paused
        await pilot.press("comma")
        assert main_screen(pilot).paused
        await pilot.pause()
        assert "z Pause" in screen_text(pilot).splitlines()[-1]
        offered = {command.title: command for command in dashboard(pilot).get_system_commands(pilot.app.screen)}
        assert offered["Pause"].help.endswith("(z ,)")


def test_the_help_says_all_on_a_narrow_screen() -> None:
    """What a key does is wrapped, not cut."""
    text = " ".join(" ".join(plain(row) for row in help_page(40, {})).split())
    assert all(command.meaning in text for command in COMMANDS.values())
