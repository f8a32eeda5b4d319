"""The act beside all others: who else hears of the payments, what happens to them, and what is claimed of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from devstack import eventing
from devstack.demo import goods
from devstack.demo.claims import Claim
from devstack.demo.events import mails, told, totals
from devstack.demo.events.disturbing import NOTIFICATIONS, Disturbing
from devstack.demo.events.receiver import Receiver, receiving
from devstack.demo.events.rush import rushes
from devstack.demo.people import Shop
from devstack.demo.report import Outcome
from devstack.stack import Stack
from ledger.analytics import Analytics
from ledger.engine import create_engine

ANALYTICS, WEBHOOKS = "analytics", "webhooks"
_LEFT_OVER = timedelta(days=1)


class EventsAct:
    """What the show does about events; build it with `events_act`."""

    def __init__(
        self,
        stack: Stack,
        engine: AsyncEngine,
        shop: Shop,
        receiver: Receiver,
        run: str,
        say: Callable[[str], None],
    ) -> None:
        self._stack, self._engine, self._shop, self._receiver = stack, engine, shop, receiver
        self._begun = datetime.now(UTC)
        self._added_up: totals.Totals = Counter()
        self._left_over: Sequence[str] = ()
        self.hearing = asyncio.Event()
        """Set when relay and subscribers are there."""
        self._rushes = rushes(run)
        self.scenarios = tuple(rush.scenario for rush in self._rushes)
        self.disturbing = Disturbing(stack, say)
        self._subscribers = frozenset(eventing.SUBSCRIBERS) - stack.options.without

    async def begin(self) -> None:
        """Fill the shelves, and see what was added up before."""
        shelves = dict(goods.SHELVES) | {rush.sku: rush.pieces for rush in self._rushes}
        await goods.stocked(self._stack.addresses.database_url, shelves)
        if ANALYTICS in self._subscribers:
            self._left_over = (await told.told_since(self._engine, self._begun - _LEFT_OVER)).missing(ANALYTICS)
            self._added_up = await totals.added_up(self._shop, self._begun.date())

    async def start_hearing(self) -> None:
        """Start relay and subscribers: they need not be there when the first checkouts begin."""
        parts = [name for name in eventing.wanted(self._stack.options) if name in self._stack.options.later]
        await asyncio.gather(*map(self._stack.start_part, parts))
        self.hearing.set()

    async def go_on(self) -> None:
        """All but the last stories are told: what was away is back for those, and the shop wants to hear of them."""
        await self.disturbing.speak()
        if WEBHOOKS in self._subscribers:
            await self._receiver.register()

    async def claims(self, outcomes: Sequence[Outcome], ends: Sequence[datetime]) -> tuple[Claim, ...]:
        """Everything that is claimed, once everybody has heard everything. `ends`: when each checkout ended."""
        heard = await told.told_and_heard(self._engine, self._begun, self._subscribers)
        seen = [evidence for _, evidence in outcomes if evidence is not None]
        levels = await goods.levels(self._stack.addresses.database_url)
        claims = [told.published(heard), *told.consumed(heard, self._subscribers)]
        claims += [rush.claim(levels.get(rush.sku)) for rush in self._rushes]
        sent = await asyncio.to_thread(mails.taken, self._stack.options.layout.mails, self._begun)
        claims += self.disturbing.claims(ends, sent)
        if NOTIFICATIONS in self._subscribers:
            claims += mails.claims(heard, sent, seen)
        else:
            claims.append(mails.silent(sent, len(outcomes)))
        if ANALYTICS in self._subscribers:
            after = await totals.added_up(self._shop, self._begun.date())
            differences = await Analytics(self._engine).differences()
            claims += totals.claims(heard, self._added_up, after, seen, differences, self._left_over)
        if WEBHOOKS in self._subscribers:
            claims += await self._receiver.claims(heard)
        return tuple(claims)


@asynccontextmanager
async def events_act(stack: Stack, run: str, say: Callable[[str], None]) -> AsyncIterator[EventsAct]:
    """The act on a running stack."""
    async with AsyncExitStack() as exits:
        engine = create_engine(stack.addresses.database_url, pool_size=2)
        exits.push_async_callback(engine.dispose)
        shop = Shop(stack.addresses.api, stack.api_key)
        exits.push_async_callback(shop.close)
        receiver = await exits.enter_async_context(receiving(shop))
        yield EventsAct(stack, engine, shop, receiver, run, say)
