"""A subscriber goes through its events: each once, in order, waiting for what is down, putting aside the hopeless."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from domain.timeline import EventType
from events.broker.contract import BrokerDownError, Channel, Message, Take, dead_letters_of
from events.contract import Event
from events.subscribers.consuming import LONGEST_PAUSE, TRIES, WHY, Consumer
from events.subscribers.contract import PoisonError, TryLaterError
from events.subscribers.meter import Outcome, SubscriberMeter
from events.wire import to_message
from ledger.consumed import Consumption
from ledger.engine import create_engine

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def event(number: int, subject: str, type_: str = EventType.PAYMENT_SUCCEEDED) -> Event:
    """The subject's event of this number."""
    return Event(f"{subject}:{number}", type_, subject, number, AT, {"checkout_id": subject})


@dataclass
class Scripted:
    """Does as it is told for each event id: raises these errors one after the other, then succeeds."""

    name: str
    script: dict[str, list[Exception]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    wanted: frozenset[EventType] = frozenset({EventType.PAYMENT_SUCCEEDED})

    async def handle(self, told: Event) -> None:
        """Follow the script."""
        errors = self.script.get(told.id, [])
        if errors:
            raise errors.pop(0)
        self.done.append(told.id)

    async def forget(self, since: datetime) -> None:
        """Nothing is kept."""


@dataclass
class Ground:
    """Where dead letters go; `down` as often as it says."""

    buried: list[tuple[Channel, Message]] = field(default_factory=list)
    down: int = 0

    async def publish(self, channel: Channel, message: Message) -> None:
        """Keep it."""
        if self.down:
            self.down -= 1
            raise BrokerDownError("not now")
        self.buried.append((channel, message))

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Nothing to close."""

    def listen(self, channel: Channel, group: str, take: Take) -> None:
        """Nobody listens here."""

    async def waiting(self, channel: Channel, group: str) -> int:
        """Nothing waits."""
        return 0


@dataclass
class Bench:
    """A consumer, what it works with, and the pauses it made."""

    consumer: Consumer
    subscriber: Scripted
    ground: Ground
    pauses: list[float]
    paused: asyncio.Event

    async def take(self, *told: Event) -> None:
        """Give it these events."""
        for one in told:
            await self.consumer.take(to_message(one))

    def counted(self, outcome: Outcome) -> float:
        """How often this came of an event."""
        registry = self.consumer.meter.registry
        return registry.get_sample_value("paysaga_subscriber_events_total", {"outcome": outcome}) or 0


@pytest.fixture
async def bench(database_url: str, prefix: str) -> AsyncIterator[Bench]:
    """A consumer on real books, whose pauses take no time."""
    engine = create_engine(database_url, pool_size=2)
    subscriber, ground = Scripted(prefix), Ground()
    pauses: list[float] = []
    paused = asyncio.Event()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        paused.set()
        await asyncio.sleep(0)

    consumer = Consumer(subscriber, Consumption(engine), ground, SubscriberMeter(prefix), pause)
    yield Bench(consumer, subscriber, ground, pauses, paused)
    await engine.dispose()


async def test_an_event_that_comes_again_changes_nothing(bench: Bench, prefix: str) -> None:
    """It was dealt with, also for a process that starts anew."""
    await bench.take(event(1, prefix), event(1, prefix), event(2, prefix), event(1, prefix))
    assert bench.subscriber.done == [f"{prefix}:1", f"{prefix}:2"]
    assert (bench.counted(Outcome.HANDLED), bench.counted(Outcome.REPEATED)) == (2, 2)


async def test_what_is_not_wanted_is_passed_over(bench: Bench, prefix: str) -> None:
    """It is neither acted on nor remembered."""
    await bench.take(event(1, prefix, EventType.CHECKOUT_CREATED), event(2, prefix, "something.new"))
    assert bench.subscriber.done == []
    assert not await bench.consumer.consumption.has(prefix, f"{prefix}:1")


async def test_something_that_is_down_is_waited_for(bench: Bench, prefix: str) -> None:
    """With growing pauses, for as long as it takes, and nothing overtakes."""
    bench.subscriber.script[f"{prefix}:1"] = [TryLaterError("down") for _ in range(12)]
    await bench.take(event(1, prefix), event(2, prefix))
    assert bench.subscriber.done == [f"{prefix}:1", f"{prefix}:2"]
    assert bench.pauses == sorted(bench.pauses)
    assert bench.pauses[-1] == LONGEST_PAUSE
    assert bench.ground.buried == []


async def test_a_poisoned_event_is_put_aside_at_once(bench: Bench, prefix: str) -> None:
    """Whole, with the reason; it is not counted as dealt with, so that it can be sent again."""
    bench.subscriber.script[f"{prefix}:1"] = [PoisonError("no\nsuch\r\nthing")]
    await bench.take(event(1, prefix), event(2, prefix))
    assert bench.subscriber.done == [f"{prefix}:2"]
    ((channel, letter),) = bench.ground.buried
    assert channel == dead_letters_of(prefix)
    assert (letter.body, dict(letter.headers)[WHY]) == (to_message(event(1, prefix)).body, "no such thing")
    await bench.take(event(1, prefix))
    assert bench.subscriber.done == [f"{prefix}:2", f"{prefix}:1"]


async def test_an_error_that_nobody_foresaw_is_tried_a_few_times(bench: Bench, prefix: str) -> None:
    """Then it is put aside; one that works before is dealt with."""
    bench.subscriber.script[f"{prefix}:1"] = [ValueError("bug")] * (TRIES - 1)
    bench.subscriber.script[f"{prefix}:2"] = [ValueError("bug")] * TRIES
    await bench.take(event(1, prefix), event(2, prefix), event(3, prefix))
    assert bench.subscriber.done == [f"{prefix}:1", f"{prefix}:3"]
    ((_, letter),) = bench.ground.buried
    assert (letter.id, dict(letter.headers)[WHY]) == (f"{prefix}:2", f"ValueError in each of {TRIES} tries")


async def test_what_is_no_event_is_put_aside(bench: Bench) -> None:
    """Garbage holds nobody up."""
    await bench.consumer.take(Message("", "", "", b"\xff not json"))
    ((_, letter),) = bench.ground.buried
    assert letter.body == b"\xff not json"


async def test_a_dead_letter_that_cannot_be_written_comes_again(bench: Bench, prefix: str) -> None:
    """The message is not done: the broker gives it again."""
    bench.ground.down = 1
    bench.subscriber.script[f"{prefix}:1"] = [PoisonError("x"), PoisonError("x")]
    with pytest.raises(BrokerDownError):
        await bench.take(event(1, prefix))
    await bench.take(event(1, prefix))
    assert len(bench.ground.buried) == 1


async def test_the_end_waits_for_what_is_in_hand(bench: Bench, prefix: str) -> None:
    """And begins nothing more; what has to wait for something is broken off."""
    bench.subscriber.script[f"{prefix}:1"] = [TryLaterError("down") for _ in range(1000)]
    taking = asyncio.create_task(bench.take(event(1, prefix)))
    await asyncio.wait_for(bench.paused.wait(), 30)
    await bench.consumer.finish(5)
    assert (await asyncio.gather(taking, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    with pytest.raises(asyncio.CancelledError):
        await bench.take(event(2, prefix))
    assert bench.subscriber.done == []
    assert bench.consumer.meter.lag() == 0
