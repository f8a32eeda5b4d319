"""`python -m sandbox`: serve the sandbox until told to stop."""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path

import uvicorn

from sandbox.app import GATEWAYS, Settings, create_app
from sandbox.wire import Hanging, WireProtocol

_PORTS_TO_TRY = 20


class _Server(uvicorn.Server):
    """uvicorn that says when it listens, and lets go of requests that are never answered."""

    def __init__(
        self, config: uvicorn.Config, hanging: Hanging, announce: Path | None, announced: dict[str, str]
    ) -> None:
        super().__init__(config)
        self._hanging = hanging
        self._announce = announce
        self._announced = announced

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        if self._announce is not None:
            draft = self._announce.with_name(f"{self._announce.name}.{os.getpid()}")
            draft.write_text(json.dumps({**self._announced, "pid": os.getpid()}))
            draft.replace(self._announce)
        print(f"sandbox: {self._announced['url']}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._hanging.stop()
        await super().shutdown(sockets)


def _arguments() -> argparse.Namespace:
    env = os.environ
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 picks a free one; a taken one moves to the next")
    parser.add_argument("--data", type=Path, default=Path("sandbox-data"), help="folder of the databases")
    parser.add_argument("--announce", type=Path, help="file that receives url and pid once the sandbox listens")
    parser.add_argument("--public-url", default=env.get("SANDBOX_PUBLIC_URL"), help="how browsers reach the pages")
    for gateway in GATEWAYS:
        gateway.options(parser)
    given = parser.parse_args()
    for gateway in GATEWAYS:
        if problem := gateway.problem(given):
            parser.error(problem)
    return given


def _bind(host: str, port: int) -> socket.socket:
    """Listen on the port asked for, or on the next free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in [port] if port == 0 else range(port, port + _PORTS_TO_TRY):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(512)
        except OSError:
            listener.close()
            continue
        return listener
    sys.exit(f"sandbox: no free port from {port} to {port + _PORTS_TO_TRY - 1} on {host}")


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    given = _arguments()
    listener = _bind(given.host, given.port)
    host = f"[{given.host}]" if ":" in given.host else given.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    hanging = Hanging()
    public_url = given.public_url.rstrip("/") if given.public_url else None
    app = create_app(Settings(given.data, public_url, given), hanging)
    config = uvicorn.Config(
        app,
        http=WireProtocol,
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        # Longer than clients keep idle connections, so that it is never this side that closes under a request.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config, hanging, given.announce, {"url": url, **app.state.announced})
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
