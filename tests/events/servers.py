"""Real brokers for the tests: each in a folder of its own, killed and started again at will, gone at the end."""

import os
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from devstack import brokers
from devstack.errors import StackError
from devstack.parts import ChildPart, PartSpec
from devstack.ports import any_free

_READY_SECONDS = 60

Spec = Callable[[Path, int, Path], PartSpec]
SPECS: dict[str, Spec] = {
    "nats": brokers.nats_part,
    "kafka": brokers.tansu_part,
    "amqp": brokers.rabbit_part,
    "redis": brokers.valkey_part,
}
LOGIN = {"amqp": "guest:guest@"}
FORGETFUL = frozenset({"kafka"})
"""Those that keep everything in memory here; a real one of the kind does not."""


class Server:
    """One broker; its address stays the same for as long as it lives."""

    def __init__(self, scheme: str, folder: Path, altered: Callable[[PartSpec], PartSpec] | None = None) -> None:
        self.scheme, self.folder, self.port, self._altered = scheme, folder, any_free(), altered
        self.url = f"{scheme}://{LOGIN.get(scheme, '')}127.0.0.1:{self.port}"
        self._part: ChildPart | None = None

    def start(self) -> None:
        """Start it on its folder and wait until it takes connections."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        self._part = ChildPart(self._spec(data))
        until = time.monotonic() + _READY_SECONDS
        while not listens(self.port):
            assert self._part.ended() is None, self._part.log_tail()
            assert time.monotonic() < until, self._part.log_tail()
            time.sleep(0.05)
        assert self._part.ended() is None, self._part.log_tail()

    def kill(self) -> None:
        """End it as a power cut does, with everything that it has started."""
        part, self._part = self._part, None
        if part is None:
            return
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(part.record.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
        part.kill()
        self._end_port_mapper()

    def forget(self) -> None:
        """Lose everything that it has stored."""
        shutil.rmtree(self.folder / "data")

    def _spec(self, data: Path) -> PartSpec:
        try:
            spec = SPECS[self.scheme](data, self.port, self.folder / "log")
        except StackError as error:
            if os.environ.get("PAYSAGA_TEST_BROKERS") == "all":
                raise
            pytest.skip(str(error))
        self._mapper_port = spec.environment.get("ERL_EPMD_PORT")
        return self._altered(spec) if self._altered else spec

    def _end_port_mapper(self) -> None:
        """Erlang's port mapper detaches itself; ours is the one that was given our port."""
        for process in psutil.process_iter(["name"]):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.info["name"] == "epmd" and process.environ().get("ERL_EPMD_PORT") == self._mapper_port:
                    process.kill()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
