"""The dispatcher where something is wrong with one row: the others go on, and nothing is given up early."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.guard import GatewayGuard
from api.deliveries import UNKNOWN_TRIES, Deliveries
from api.dispatcher import Dispatcher
from api.sagas import TemporalDownError
from api.starting import UNSTARTED_AFTER, Starter
from domain import postings
from domain.checkout import Checkout, CheckoutRecord, CheckoutStatus
from domain.money import Money
from domain.payment import PaymentSnapshot
from domain.refund import Refund, RefundRecord
from domain.saga import Fact
from domain.states import CheckoutState
from domain.timeline import Entry
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.contract import InboxItem
from ledger.engine import create_engine
from ledger.inbox import Inbox
from ledger.refunds import Refunds
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

    async def start_refund(self, record: RefundRecord, made: CheckoutRecord) -> bool:
        """Start it, or fail as told."""
        if record.refund.id in self.broken:
            raise self.broken[record.refund.id]
        self.started.append(record.refund.id)
        return False

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
    books, gateways, guard = Books(engine), {"stripe": ForgetfulGateway()}, GatewayGuard(Breakers(engine))
    starter = Starter(books, Refunds(engine), sagas)  # type: ignore[arg-type]
    deliveries = Deliveries(books, gateways, sagas, guard, starter)  # type: ignore[arg-type]
    return Dispatcher(Inbox(engine), deliveries, starter)


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
    await dispatcher_of(pool, sagas).start_missing()
    assert sagas.started == [younger.id]


async def test_a_temporal_that_is_down_is_asked_once(pool: AsyncEngine) -> None:
    """When nobody answers, the rest waits for the next round instead of running into the same wall."""
    books, sagas = Books(pool), ListedSagas()
    oldest, _ = [await recorded(books, timedelta(minutes=minutes)) for minutes in (9, 5)]
    sagas.broken[oldest.id] = TemporalDownError("nobody there")
    await dispatcher_of(pool, sagas).start_missing()
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


async def reserved(engine: AsyncEngine, age: timedelta) -> RefundRecord:
    """A refund of that long ago, of a sale, that nobody started."""
    books, at = Books(engine), datetime.now(UTC) - age
    made = checkout(created_at=at)
    await books.create_checkout(made, created())
    amount, states = made.amount, (CheckoutState.AWAITING_PAYMENT, CheckoutState.PAID, CheckoutState.COMPLETED)
    capture = postings.capture(made.gateway, f"pi_{made.id}", amount, amount.zero())
    for state in states:
        status = CheckoutStatus(state, payment_id=f"pi_{made.id}")
        moved = (capture,) if state is CheckoutState.PAID else ()
        await books.append(made.id, [Entry(state, status, "api", at, transactions=moved)])
    id_ = f"rfd_{secrets.token_hex(12)}"
    return await Refunds(engine).reserve(Refund(id_, made.id, Money(100, amount.currency), None, at))


async def test_a_refund_that_cannot_be_started_holds_up_nobody(pool: AsyncEngine) -> None:
    """The oldest fails every time; the younger is started, and what is new has a moment to be started by its API."""
    sagas = ListedSagas()
    ages = (timedelta(minutes=9), timedelta(minutes=5), UNSTARTED_AFTER / 4)
    oldest, younger, _ = [await reserved(pool, age) for age in ages]
    sagas.broken[oldest.refund.id] = KeyError("gateway")
    await dispatcher_of(pool, sagas).start_missing()
    assert sagas.started == [younger.refund.id]


async def test_refunds_are_looked_for_now_and_then(pool: AsyncEngine) -> None:
    """One that waits for its gateway looks as if it had not been started: it is not started in every round."""
    sagas = ListedSagas()
    await reserved(pool, timedelta(minutes=5))
    dispatcher = dispatcher_of(pool, sagas)
    await dispatcher.start_missing()
    await dispatcher.start_missing()
    assert len(sagas.started) == 1
