"""A subscriber goes through its events: each once, in order, waiting for what is down, putting aside the hopeless."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from domain.timeline import EventType
from events.broker.contract import BrokerDownError, Channel, Message, Take, dead_letters_of
from events.contract import Event
from events.subscribers.consuming import TRIES, WHY, Consumer, Pauses
from events.subscribers.contract import PoisonError, TryLaterError
from events.subscribers.meter import Outcome, SubscriberMeter
from events.wire import to_message
from ledger.consumed import Consumption
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from tests.workflows.support import eventually

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
    """A consumer and what it works with."""

    consumer: Consumer
    subscriber: Scripted
    ground: Ground

    async def take(self, *told: Event) -> None:
        """Give it these events."""
        for one in told:
            await self.consumer.take(to_message(one))

    def counted(self, outcome: Outcome) -> float:
        """How often this came of an event."""
        registry = self.consumer.meter.registry
        return registry.get_sample_value("paysaga_subscriber_events_total", {"outcome": outcome}) or 0

    async def tried(self, often: int) -> None:
        """Wait until what is in hand has been tried so often."""

        async def look() -> float:
            return self.counted(Outcome.TRIED_AGAIN)

        await eventually(look, lambda seen: seen >= often)


@pytest.fixture
async def bench(database_url: str, prefix: str) -> AsyncIterator[Bench]:
    """A consumer on real books, whose pauses are short."""
    engine = create_engine(database_url, pool_size=2)
    subscriber, ground = Scripted(prefix), Ground()
    consumer = Consumer(subscriber, Consumption(engine), ground, SubscriberMeter(prefix), Pauses(0.001, 0.004))
    yield Bench(consumer, subscriber, ground)
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
    """For as long as it takes, and nothing overtakes."""
    bench.subscriber.script[f"{prefix}:1"] = [TryLaterError("down") for _ in range(40)]
    await bench.take(event(1, prefix), event(2, prefix))
    assert bench.subscriber.done == [f"{prefix}:1", f"{prefix}:2"]
    assert bench.counted(Outcome.TRIED_AGAIN) == 40
    assert bench.ground.buried == []


def test_pauses_grow_up_to_the_longest() -> None:
    """Twice as long each time, and never longer than half a minute."""
    pauses, made = Pauses(), [Pauses().first]
    for _ in range(9):
        made.append(pauses.after(made[-1]))
    assert made == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]


async def test_books_that_are_down_are_waited_for(bench: Bench, prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nobody's fault that what was done cannot be noted yet: no event is put aside for it."""
    has, down = bench.consumer.consumption.has, [StoreUnavailableError("restarting")] * (TRIES + 3)

    async def sometimes(subscriber: str, event_id: str) -> bool:
        if down:
            raise down.pop()
        return await has(subscriber, event_id)

    monkeypatch.setattr(bench.consumer.consumption, "has", sometimes)
    await bench.take(event(1, prefix), event(2, prefix))
    assert bench.subscriber.done == [f"{prefix}:1", f"{prefix}:2"]
    assert bench.ground.buried == []


async def test_one_event_at_a_time_also_from_two_channels(bench: Bench, prefix: str) -> None:
    """One that is new and sent again in the same moment is acted on once."""
    running: set[str] = set()
    overlaps: list[str] = []

    async def handle(told: Event) -> None:
        overlaps.extend(running)
        running.add(told.id)
        await asyncio.sleep(0.01)
        running.discard(told.id)
        bench.subscriber.done.append(told.id)

    bench.subscriber.handle = handle  # type: ignore[method-assign]
    await asyncio.gather(bench.take(event(1, prefix), event(2, prefix)), bench.take(event(1, prefix), event(3, prefix)))
    assert sorted(bench.subscriber.done) == [f"{prefix}:{number}" for number in (1, 2, 3)]
    assert overlaps == []


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


async def test_a_dead_letter_waits_for_the_broker(bench: Bench, prefix: str) -> None:
    """The event is not tried anew meanwhile, and its successors stay behind it."""
    bench.ground.down = 4
    bench.subscriber.script[f"{prefix}:1"] = [PoisonError("x")]
    await bench.take(event(1, prefix), event(2, prefix))
    assert [letter.id for _, letter in bench.ground.buried] == [f"{prefix}:1"]
    assert bench.subscriber.done == [f"{prefix}:2"]


async def test_the_log_names_the_event_and_nothing_that_it_holds(
    bench: Bench, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error's own words may repeat what was in the event."""
    bench.subscriber.script[f"{prefix}:1"] = [ValueError("ada@customer.example")] * TRIES
    await bench.take(event(1, prefix))
    assert f"{prefix}:1" in caplog.text
    assert "ValueError" in caplog.text
    assert "ada@customer.example" not in caplog.text
    ((_, letter),) = bench.ground.buried
    assert "ada" not in str(letter.headers)


async def test_the_end_breaks_off_what_waits(bench: Bench, prefix: str) -> None:
    """At once, however long its pause; neither it nor what comes then is done, so the broker gives both again."""
    bench.consumer.pauses = Pauses(60, 60)
    bench.subscriber.script[f"{prefix}:1"] = [TryLaterError("down") for _ in range(9)]
    taking = asyncio.create_task(bench.take(event(1, prefix)))
    await bench.tried(1)
    began = asyncio.get_running_loop().time()
    await bench.consumer.finish(30)
    assert asyncio.get_running_loop().time() - began < 10
    next_one = asyncio.create_task(bench.take(event(2, prefix)))
    _, waiting = await asyncio.wait({taking, next_one}, timeout=0.2)
    assert waiting == {taking, next_one}
    assert bench.subscriber.done == []
    assert bench.consumer.meter.lag() == 0
    for task in waiting:
        task.cancel()


async def test_the_end_waits_for_what_is_in_hand(bench: Bench, prefix: str) -> None:
    """What is being done is done and remembered."""
    began, may = asyncio.Event(), asyncio.Event()

    async def handle(told: Event) -> None:
        began.set()
        await may.wait()
        bench.subscriber.done.append(told.id)

    bench.subscriber.handle = handle  # type: ignore[method-assign]
    taking = asyncio.create_task(bench.take(event(1, prefix)))
    await began.wait()
    ending = asyncio.create_task(bench.consumer.finish(30))
    await asyncio.sleep(0.05)
    assert not ending.done()
    may.set()
    await asyncio.gather(taking, ending)
    assert await bench.consumer.consumption.has(prefix, f"{prefix}:1")


async def test_the_lag_is_the_age_of_the_event_in_hand(bench: Bench, prefix: str) -> None:
    """It grows while something is down, and is nothing when nothing is in hand."""
    bench.subscriber.script[f"{prefix}:1"] = [TryLaterError("down") for _ in range(40)]
    taking = asyncio.create_task(bench.take(event(1, prefix)))
    await bench.tried(2)
    assert bench.consumer.meter.lag() == pytest.approx((datetime.now(UTC) - AT).total_seconds(), abs=30)
    await taking
    assert bench.consumer.meter.lag() == 0
