"""The relay's loop: wakes when Postgres tells of events, takes them to the broker, waits where a part is down."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from domain.errors import BooksError
from events.broker.contract import EVENTS, Broker, BrokerDownError
from events.outage import Outage
from events.relay.meter import RelayMeter
from events.relay.passing import Passing
from ledger.contract import StoreUnavailableError
from ledger.listener import Listener
from ledger.outbox_store import Outbox

LOOK_AGAIN = timedelta(seconds=30)
"""A notification can get lost with its connection; what it told of is found this much later at the latest."""


class Relay:
    """Takes events to the broker until it is told to stop; several may run, on one machine or many.

    `subscribers` are the names of the groups that the broker knows. One of them is asked for whenever the broker was
    down, so that no row is locked for the sake of a broker that does not answer.
    """

    def __init__(
        self,
        outbox: Outbox,
        news: Listener,
        broker: Broker,
        subscribers: Sequence[str] = (),
        meter: RelayMeter | None = None,
    ) -> None:
        self._outbox, self._news, self._broker, self._subscribers = outbox, news, broker, subscribers
        self._meter = meter or RelayMeter()
        self._broker_outage, self._books_outage = Outage("the broker"), Outage("the database")
        self.connected = asyncio.Event()
        """Set once the broker has been reached for the first time: before, it cannot be asked anything."""

    async def run(self, stop: asyncio.Event) -> None:
        """Publish what there is and what comes, until `stop`; what is on its way then is still marked."""
        while not stop.is_set():
            try:
                more = await self._pass_on(stop)
            except BrokerDownError as error:
                await self._sit_out(self._broker_outage, error, stop)
            except (StoreUnavailableError, BooksError) as error:
                await self._sit_out(self._books_outage, error, stop)
            else:
                if not more:
                    await self._until_news(stop)

    async def _pass_on(self, stop: asyncio.Event) -> bool:
        """Publish one batch; whether there may be more. Raises BrokerDownError and what the outbox raises."""
        await self._reach_broker()
        passing = Passing(self._broker, stop, self._meter)
        trial = self._broker_outage.goes_on
        # That the broker answers a question does not yet mean that it takes events: one of them is to show it.
        limits = {"subjects": 1, "rows": 1} if trial else {}
        await self._outbox.pass_on(passing.publish, **limits)
        self._books_outage.ends()
        if passing.down is not None:
            raise passing.down
        self._broker_outage.ends()
        return trial or passing.confirmed > 0

    async def _reach_broker(self) -> None:
        """Make sure that it answers, before rows are locked for its sake. Raises BrokerDownError."""
        if not self.connected.is_set():
            await self._broker.start()
            self.connected.set()
        elif self._broker_outage.goes_on and self._subscribers:
            await self._broker.waiting(EVENTS, self._subscribers[0])

    async def _sit_out(self, outage: Outage, why: Exception, stop: asyncio.Event) -> None:
        outage.begins(why)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), outage.pause())

    async def _until_news(self, stop: asyncio.Event) -> None:
        waits = {asyncio.create_task(self._news.wait(LOOK_AGAIN)), asyncio.create_task(stop.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
