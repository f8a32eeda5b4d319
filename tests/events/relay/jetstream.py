"""A NATS server of the test's own that can be killed and comes back with what was on its disk."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nats
from nats.errors import TimeoutError as NothingLeftError
from nats.js.api import ConsumerConfig

from devstack.ports import any_free
from events.broker.contract import Message
from events.wire import from_message


class JetStream:
    """The server; `url` stays the same for as long as the folder does."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, any_free()
        self.url = f"nats://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its folder and wait until it listens."""
        server = Path(sys.executable).parent / "nats-server"
        command = [server, "-js", "-sd", self._folder, "-a", "127.0.0.1", "-p", str(self._port)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("nats-server does not listen")

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    async def ids(self, prefix: str = "paysaga") -> list[str]:
        """The ids of all events in the stream, in the order in which it took them."""
        connection = await nats.connect(self.url)
        try:
            stream = connection.jetstream()
            messages = await stream.subscribe(f"{prefix}.events.>", ordered_consumer=True, config=ConsumerConfig())
            found: list[str] = []
            while True:
                try:
                    message = await messages.next_msg(timeout=0.5)
                except NothingLeftError:
                    return found
                event = from_message(Message("", "", "", message.data))
                assert message.headers is not None
                assert message.headers["Nats-Msg-Id"] == event.id
                found.append(event.id)
        finally:
            await connection.close()
