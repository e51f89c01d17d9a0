"""``trainhealth live --web``: the dashboard in a browser of this machine."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainhealth.cli import main
from trainhealth.cli.exit_codes import ExitCode

SAMPLE = Path(__file__).parents[2] / "sample_logs" / "overfitting" / "sick"


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not among the dependencies: few people need it."""
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    assert main(["live", "--web"]) == ExitCode.USAGE
    assert "pip install 'trainhealth[web]'" in capsys.readouterr().err


def test_a_pipe_can_not_be_served(capsys: pytest.CaptureFixture[str]) -> None:
    """Every page would read a part of it."""
    assert main(["live", "--web", "-"]) == ExitCode.USAGE
    assert "can't follow standard input" in capsys.readouterr().err


def test_the_arguments_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page shows what the same command would show in a terminal."""
    served: list[list[str]] = []

    def serve(arguments: list[str]) -> int:
        served.append(arguments)
        return 0

    monkeypatch.setattr("trainhealth.cli.web.serve", serve)
    main(["live", "-x", "--web"])  # a usage error is none of ours to hand on
    main(["live", "--web", "--replay", "--speed", "20", "--alert", "bell", "--map", "train_loss=l", "--", "-run"])
    assert served == [["--speed=20.0", "--alert=bell", "--map=train_loss=l", "--replay", "--", "-run"]]


def until_it_listens(port: int) -> None:
    """It says where it is just before it is there."""
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline


@pytest.fixture
def url() -> Iterator[str]:
    """Where a server of the sample run is."""
    pytest.importorskip("textual_serve")
    command = [sys.executable, "-m", "trainhealth", "live", "--web", str(SAMPLE)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = re.search(r"http://localhost:\d+", server.stderr.readline())
        assert said is not None
        try:
            until_it_listens(int(said[0].rpartition(":")[2]))
            yield said[0]
        finally:
            server.terminate()


@pytest.mark.slow
async def test_a_page_shows_the_dashboard(url: str) -> None:
    """And its process ends with it; nothing on the page comes from another machine."""
    from aiohttp import ClientSession

    async with ClientSession() as session, asyncio.timeout(60):
        async with session.get(url) as page:
            assert "trainhealth" in await page.text()
            allowed = page.headers["Content-Security-Policy"]
            assert allowed.startswith("default-src 'self'")
            assert "http" not in allowed
        async with session.ws_connect(f"{url}/ws?width=100&height=30", headers={"Origin": url}) as page_socket:
            drawn = b""
            while b"overfitting" not in drawn:
                message = await page_socket.receive()
                drawn += message.data if isinstance(message.data, bytes) else str(message.data).encode()


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{"Origin": "http://elsewhere.example"}, {}, {"Host": "elsewhere.example:8000"}])
async def test_a_page_of_another_site_is_refused(url: str, headers: dict[str, str]) -> None:
    """Any page that is open in the browser can reach a port of this machine."""
    from aiohttp import ClientSession, WSServerHandshakeError

    own = {"Origin": url} if "Host" in headers else {}
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError) as refused:
            await session.ws_connect(f"{url}/ws", headers={**own, **headers})
    assert refused.value.status == 403
