"""A sandbox process, the official SDK pointed at it, and a receiver of its webhooks."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import stripe

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0


@dataclass
class Sandbox:
    """A sandbox in a process of its own, on a free port."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> "Sandbox":
        """Start it and wait until it listens."""
        announce = self.data / "announce.json"
        announce.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", "0"]
        command += ["--data", str(self.data), "--announce", str(announce)]
        environment = {**os.environ, **self.environment}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        await eventually(announce.exists)
        self.url = json.loads(announce.read_text())["url"]
        return self

    async def stop(self) -> float:
        """Ask it to stop; returns how many seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.terminate()
        await asyncio.to_thread(self.process.wait, PATIENCE)
        return time.monotonic() - began

    def sdk(self, key: str = "sk_test_sandbox", timeout: float = 5) -> stripe.StripeClient:
        """The official SDK, unchanged but for the address."""
        client = stripe.HTTPXClient(timeout=timeout)
        return stripe.StripeClient(key, base_addresses={"api": self.url}, http_client=client, max_network_retries=0)

    def browser(self) -> httpx.AsyncClient:
        """A plain HTTP client for pages and the control interface."""
        return httpx.AsyncClient(base_url=self.url, timeout=5)


async def eventually(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until something holds, and return it."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
    return found


@dataclass(frozen=True)
class Received:
    """One webhook as it came in."""

    body: bytes
    headers: dict[str, str]
    path: str

    @property
    def event(self) -> dict[str, Any]:
        """The body as JSON, not verified."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    def verified(self, secret: str) -> stripe.Event:
        """The event, as the SDK verifies it."""
        event: stripe.Event = stripe.Webhook.construct_event(self.body, self.headers["stripe-signature"], secret)
        return event


class Receiver:
    """A webhook receiver on a free port that can be told which statuses to answer."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.statuses: list[int] = []
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self) -> "Receiver":
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def stop(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.received.append(Received(body, headers, head[0].split(" ")[1]))
                status = self.statuses.pop(0) if self.statuses else 200
                writer.write(b"HTTP/1.1 %d -\r\ncontent-length: 0\r\n\r\n" % status)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def of(self, payment: str) -> list[Received]:
        """What came in about one payment, in order of arrival."""
        return [one for one in self.received if payment_of(one.event) == payment]

    def types(self, payment: str) -> list[str]:
        """The types of events that came in about one payment, in order of arrival."""
        return [one.event["type"] for one in self.of(payment)]


def payment_of(event: dict[str, Any]) -> str | None:
    """The payment an event is about."""
    about = event["data"]["object"]
    payment: str | None = about["id"] if about["object"] == "payment_intent" else about["payment_intent"]
    return payment
