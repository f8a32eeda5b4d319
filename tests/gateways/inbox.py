"""Somebody who takes a gateway's deliveries and keeps the authentic ones, as our webhook inbox does."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from domain.errors import WebhookNotAuthenticError
from gateways.contract import Gateway, WebhookEvent
from tests.gateways.scripted import ScriptedServer, answer, scripted_server


@dataclass(frozen=True)
class Delivery:
    """What came over the wire: header names in lower case, the raw body."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Kept:
    """One event that was found authentic, with the delivery that brought it first."""

    event: WebhookEvent
    delivery: Delivery
    received_at: datetime


class Inbox:
    """A receiver on a port of its own, and the `Evidence` that an adapter reads.

    Every delivery is answered 200 and kept raw; those that `reader` (set before the first delivery is looked at) finds
    authentic are evidence, each event once.
    """

    reader: Gateway

    def __init__(self) -> None:
        self.refused = 0
        self._kept: dict[str, Kept] = {}
        self._read = 0
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin to receive."""
        self._server: ScriptedServer = await self._stack.enter_async_context(scripted_server())
        self._server.tell(answer(200, "[accepted]"))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop receiving."""
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where deliveries go."""
        return self._server.url

    def deliveries(self) -> list[Delivery]:
        """All that came so far, authentic or not, oldest first."""
        return [Delivery(headers, body) for headers, body in self._server.received()]

    async def kept(self) -> list[Kept]:
        """The authentic events so far, oldest first, each once."""
        async with self._lock:
            for delivery in self.deliveries()[self._read :]:
                self._read += 1
                await self._keep(delivery)
        return list(self._kept.values())

    async def until(self, enough: Callable[[Sequence[Kept]], bool], patience: float = 15) -> list[Kept]:
        """The authentic events once they are enough; fails after `patience` seconds."""
        end = asyncio.get_running_loop().time() + patience
        while not enough(kept := await self.kept()):
            assert asyncio.get_running_loop().time() < end, [k.event for k in kept]
            await asyncio.sleep(0.02)
        return kept

    async def about(self, gateway: str, reference: str) -> Sequence[bytes]:
        """The bodies with an event that names this reference."""
        assert gateway == self.reader.name
        return _bodies(k for k in await self.kept() if k.event.reference == reference)

    async def between(self, gateway: str, since: datetime, until: datetime) -> Sequence[bytes]:
        """The bodies received in this time."""
        assert gateway == self.reader.name
        return _bodies(k for k in await self.kept() if since <= k.received_at < until)

    async def _keep(self, delivery: Delivery) -> None:
        now = datetime.now(UTC)
        try:
            events = await self.reader.parse_webhook(delivery.body, delivery.headers, now)
        except WebhookNotAuthenticError:
            self.refused += 1
            return
        for event in events:
            self._kept.setdefault(event.event_id, Kept(event, delivery, now))


def _bodies(kept: Iterable[Kept]) -> list[bytes]:
    """Each body once: a batch brings several events in one."""
    return list(dict.fromkeys(k.delivery.body for k in kept))
