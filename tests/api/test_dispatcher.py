"""The dispatcher where something is wrong with one row: the others go on, and nothing is given up early."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.guard import GatewayGuard
from api.dispatcher import UNKNOWN_TRIES, Dispatcher
from api.sagas import TemporalDownError
from domain.checkout import Checkout
from domain.payment import PaymentSnapshot
from domain.saga import Fact
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.contract import InboxItem
from ledger.engine import create_engine
from ledger.inbox import Inbox
from tests.ledger.samples import checkout, created, opened


@dataclass
class ForgetfulGateway:
    """A gateway that shows no payment."""

    async def lookup(self, payment_id: str) -> PaymentSnapshot | None:
        """Nothing."""
        return None


@dataclass
class ListedSagas:
    """Sagas that note whom they were asked to start; some cannot be."""

    broken: dict[str, Exception] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    async def start(self, made: Checkout, legs: Sequence[Checkout] = ()) -> None:
        """Start it, or fail as told."""
        if made.id in self.broken:
            raise self.broken[made.id]
        self.started.append(made.id)

    async def deliver(self, made: Checkout, fact: Fact) -> None:
        """Never called here."""
        raise AssertionError


@pytest.fixture
async def pool(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on a database of the test's own."""
    engine = create_engine(fresh_database_url)
    yield engine
    await engine.dispose()


def dispatcher_of(engine: AsyncEngine, sagas: ListedSagas) -> Dispatcher:
    """A dispatcher on this database."""
    gateways = {"stripe": ForgetfulGateway()}
    guard = GatewayGuard(Breakers(engine))
    return Dispatcher(Books(engine), Inbox(engine), gateways, sagas, guard)  # type: ignore[arg-type]


async def recorded(books: Books, age: timedelta) -> Checkout:
    """A checkout of that long ago that nobody started."""
    made = checkout(created_at=datetime.now(UTC) - age)
    await books.create_checkout(made, created())
    return made


async def test_one_that_cannot_be_started_holds_up_nobody(pool: AsyncEngine) -> None:
    """The oldest fails every time, as one of a gateway that was taken away does: the younger are started."""
    books, sagas = Books(pool), ListedSagas()
    oldest, younger = [await recorded(books, timedelta(minutes=minutes)) for minutes in (9, 5)]
    sagas.broken[oldest.id] = KeyError("gateway")
    await dispatcher_of(pool, sagas).start_unopened()
    assert sagas.started == [younger.id]


async def test_a_temporal_that_is_down_is_asked_once(pool: AsyncEngine) -> None:
    """When nobody answers, the rest waits for the next round instead of running into the same wall."""
    books, sagas = Books(pool), ListedSagas()
    oldest, _ = [await recorded(books, timedelta(minutes=minutes)) for minutes in (9, 5)]
    sagas.broken[oldest.id] = TemporalDownError("nobody there")
    await dispatcher_of(pool, sagas).start_unopened()
    assert sagas.started == []


async def test_a_payment_the_gateway_does_not_show_is_asked_for_again(pool: AsyncEngine) -> None:
    """The event of one of our payments that a look-up misses waits like any other; it is flagged in the end only."""
    books = Books(pool)
    made = await recorded(books, timedelta(minutes=1))
    await books.append(made.id, [opened("pi_1")])
    dispatcher = dispatcher_of(pool, ListedSagas())
    item = InboxItem(1, "stripe", "evt_1", "payment_intent.succeeded", "pi_1", None, datetime.now(UTC), 1)
    assert await dispatcher.dispatch(item) is None
    assert await dispatcher.dispatch(replace(item, attempts=UNKNOWN_TRIES)) == "no_such_payment"
