"""Runs the API: `python -m api --host 127.0.0.1 --port 8080`. Prints `api ready` once it listens."""

import argparse
import socket
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import ApiSettings, create_app, production
from api.protocol import BoundedProtocol
from config.environment import SettingsError

_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"uvicorn": {"level": "WARNING"}},
}


class Server(uvicorn.Server):
    """A server that says when it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening, then say so on standard output, for whoever waits for it."""
        await super().startup(sockets)
        if self.started:
            print("api ready", flush=True)


def server_config(app: FastAPI, host: str, port: int, log_config: dict[str, Any] | None = _LOGGING) -> uvicorn.Config:
    """How the API listens. No access log: addresses and order ids are nobody's business in a log file."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=log_config,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        limit_concurrency=4096,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=10,
    )


def main() -> int:
    """Serve until told to stop. 2 when the environment is not fit to start with."""
    parser = argparse.ArgumentParser(prog="python -m api", description="The HTTP API of Paysaga.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    try:
        settings = ApiSettings.read()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    app = create_app(lambda: production(settings))
    server = Server(server_config(app, arguments.host, arguments.port))
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
