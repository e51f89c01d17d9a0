"""``trainhealth live --web``: the dashboard in a browser of this machine, through textual-serve."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Sequence

from trainhealth.cli.exit_codes import ExitCode
from trainhealth.cli.narration import say
from trainhealth.errors import UsageError

HOST = "localhost"
PORTS = range(8000, 8020)

# the keys go to the dashboard from its first frame on, not only after a click into it
_KEYS = """<script>
new MutationObserver((_, observer) => {
  const keyboard = document.querySelector(".xterm-helper-textarea");
  if (keyboard && document.body.classList.contains("-first-byte")) {
    keyboard.focus();
    observer.disconnect();
  }
}).observe(document.body, {attributes: true});
</script>"""


def serve(arguments: Sequence[str]) -> int:
    """Serve ``trainhealth live`` with these arguments, one process a browser tab, until ctrl+c; return the exit code.

    Raises:
        UsageError: textual-serve is not installed, or no port is free.
    """
    try:
        from aiohttp import web
        from textual_serve.server import Server
    except ImportError as error:
        raise UsageError(
            f"--web needs the package textual-serve ({error})", "Install it: pip install 'trainhealth[web]'"
        ) from error

    class LocalServer(Server):
        """Serves only pages of its own: any page that is open in the browser can reach a port of this machine."""

        def initialize_logging(self) -> None:
            """Leave the terminal to what we say."""

        async def on_startup(self, app: web.Application) -> None:
            """Say where to look."""
            say(f"the dashboard is at {self.public_url} (only from this machine; ctrl+c ends it)")

        async def handle_index(self, request: web.Request) -> web.Response:
            """Serve the page with everything in it from this machine: its font would come from a server of others."""
            page = await super().handle_index(request)
            assert isinstance(page, web.Response)  # the template's
            page.text = str(page.text).replace("</body>", f"{_KEYS}</body>")
            own = f"'self' 'unsafe-inline' data: ws://{self.host}:{self.port}"
            page.headers["Content-Security-Policy"] = f"default-src {own}"
            return page

        async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
            """Refuse the pages of other sites, whatever name they have given to this machine."""
            if request.headers.get("Origin") != self.public_url or request.host != f"{self.host}:{self.port}":
                raise web.HTTPForbidden
            return await super().handle_websocket(request)

    command = shlex.join([sys.executable, "-m", "trainhealth", "live", *arguments])
    LocalServer(command, HOST, _free_port(), title="trainhealth").serve()
    return ExitCode.OK


def _free_port() -> int:
    """Return a port that nobody listens on.

    Raises:
        UsageError: there is none.
    """
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise UsageError(f"no port from {PORTS[0]} to {PORTS[-1]} is free", "End what listens there.")
