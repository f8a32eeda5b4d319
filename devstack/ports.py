"""Where the parts listen: at the usual ports while they are free, else at others, and next time at the same again."""

import json
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path

from devstack.errors import StackError
from devstack.files import write_private

HOST = "127.0.0.1"
DEFAULTS: Mapping[str, int] = {
    "api": 8080,
    "temporal": 7233,
    "temporal_ui": 8233,
    "sandbox": 8090,
    "broker": 4222,
    "smtp": 2525,
    # Where relay and subscribers answer /metrics.
    "relay": 9101,
    "orders": 9102,
    "notifications": 9103,
    "analytics": 9104,
    "webhooks": 9105,
}
_NEIGHBOURS = 20
_NO_CLIENTS = range(20_000, 32_000)
"""Below those that systems give to outgoing connections: whoever calls in vain would be given the very port."""
_TRIES = 100


def choose(kept_in: Path, defaults: Mapping[str, int] = DEFAULTS) -> dict[str, int]:
    """A free port for every name, different from each other: the one of last time, the default, a neighbour, any.

    What was chosen is kept in the file, so that bookmarks and a gateway's webhook address survive a restart.
    """
    kept = _read(kept_in)
    chosen: dict[str, int] = {}
    for name, default in defaults.items():
        wishes = [*([kept[name]] if name in kept else []), *range(default, default + _NEIGHBOURS)]
        chosen[name] = next((p for p in wishes if p not in chosen.values() and is_free(p)), 0) or any_free()
    write_private(kept_in, json.dumps(chosen))
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do: without it, connections closed a moment ago would make a free port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def any_free() -> int:
    """A port that is free, also for a server that is ended there and started again. Raises StackError."""
    for _ in range(_TRIES):
        port = _NO_CLIENTS.start + secrets.randbelow(len(_NO_CLIENTS))
        if is_free(port):
            return port
    raise StackError(f"no free port found from {_NO_CLIENTS.start} to {_NO_CLIENTS.stop - 1}")


def _read(path: Path) -> dict[str, int]:
    try:
        stored = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {name: port for name, port in stored.items() if isinstance(port, int)} if isinstance(stored, dict) else {}
