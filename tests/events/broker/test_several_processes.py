"""Several processes of one group: none works on what another has in hand, and what one leaves the others take."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devstack.layout import ROOT
from devstack.parts import PartSpec
from events.broker.contract import EVENTS
from tests.events.broker.reading import SHORT, Reader, message, running, until
from tests.events.servers import Server
from tests.workflows.support import eventually

pytestmark = pytest.mark.timeout(180)
KEYS = ("chk_a", "chk_b", "chk_c")


class Pair:
    """Two readers, as of two processes."""

    def __init__(self, seconds: float) -> None:
        self.one, self.other = Reader(), Reader()
        self.work_for(seconds)

    def work_for(self, seconds: float) -> None:
        """How long both are to work on each message from now on."""
        self.one.seconds = self.other.seconds = seconds

    async def begun(self) -> int:
        """How often either began to work."""
        return self.one.begun + self.other.begun

    async def done(self) -> int:
        """How many messages were worked on by either."""
        return len({*self.one.ids, *self.other.ids})

    def of(self, key: str) -> list[str]:
        """What both worked on of one key, each once, in the order of its beginning."""
        return list(dict.fromkeys(id_ for _, _, id_ in self._spans() if id_.startswith(f"{key}:")))

    def longest_together(self) -> float:
        """For how many seconds both had messages of one key in hand."""
        longest = 0.0
        for began, ended, one in self.one.spans:
            for began_too, ended_too, other in self.other.spans:
                if one.partition(":")[0] == other.partition(":")[0]:
                    longest = max(longest, min(ended, ended_too) - max(began, began_too))
        return longest

    def _spans(self) -> list[tuple[float, float, str]]:
        return sorted((*self.one.spans, *self.other.spans))


async def test_two_processes_keep_the_order_and_one_takes_over(server: Server, prefix: str) -> None:
    """The second comes while the first works, the first goes while there is work: nothing is lost nor overtaken."""
    pair = Pair(seconds=0.1)
    # Neighbours have the same key: two that work beside each other would have it both.
    sent = [message(number, key) for key in KEYS for number in range(20)]
    async with running(server, prefix, (EVENTS, "first", pair.other.take)) as broker:
        async with running(server, prefix, (EVENTS, "first", pair.one.take)):
            for each in sent[:30]:
                await broker.publish(EVENTS, each)
            await eventually(pair.done, lambda done: done >= 10)
        for each in sent[30:]:
            await broker.publish(EVENTS, each)
        await eventually(pair.done, lambda done: done == len(sent))
    assert pair.longest_together() == 0
    for key in KEYS:
        assert pair.of(key) == [each.id for each in sent if each.key == key]


@pytest.mark.parametrize("server", ["nats", "amqp", "redis"], indirect=True)
async def test_long_work_is_nobody_elses(server: Server, prefix: str) -> None:
    """Three times as long as it takes to count as dead, with another process of the group at hand."""
    busy, idle = Reader(), Reader()
    busy.seconds = 3 * SHORT.total_seconds()
    async with running(server, prefix, (EVENTS, "first", busy.take)) as broker:
        await broker.publish(EVENTS, message(1))
        await until(busy, lambda seen: seen.at_once == 1)
        async with running(server, prefix, (EVENTS, "first", idle.take)):
            await until(busy, lambda seen: seen.ids == ["chk_1:1"])
            await asyncio.sleep(1)
    assert (busy.begun, idle.begun) == (1, 0)


@pytest.mark.parametrize("server", ["kafka"], indirect=True)
async def test_long_work_is_nobody_elses_in_kafka(server: Server, prefix: str) -> None:
    """Alone a process keeps it; where another comes and shares are dealt anew, it ends before and begins again."""
    pair = Pair(seconds=3 * SHORT.total_seconds())
    async with running(server, prefix, (EVENTS, "first", pair.one.take)) as broker:
        await broker.publish(EVENTS, message(1))
        await eventually(pair.done, lambda done: done == 1)
        assert pair.one.begun == 1
        pair.work_for(seconds=100)
        await broker.publish(EVENTS, message(2))
        await eventually(pair.begun, lambda begun: begun == 2)
        async with running(server, prefix, (EVENTS, "first", pair.other.take)):
            await eventually(pair.begun, lambda begun: begun == 3, patience=50)
            assert pair.longest_together() == 0
            assert len(pair.one.spans) == 2


async def test_what_a_killed_process_had_in_hand_is_taken_by_the_next(server: Server, prefix: str) -> None:
    """Without a word from it, as after a power cut."""
    async with running(server, prefix) as broker:
        command = (sys.executable, "-m", "tests.events.broker.stuck", server.url, prefix)
        stuck = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        try:
            for number in range(3):
                await broker.publish(EVENTS, message(number))
            assert stuck.stdout is not None
            assert await asyncio.wait_for(stuck.stdout.readline(), 60) == b"chk_1:0\n"
        finally:
            stuck.kill()
            await stuck.wait()
    heir = Reader()
    async with running(server, prefix, (EVENTS, "first", heir.take)):
        await until(heir, lambda seen: len(seen.took) >= 3)
    assert heir.of("chk_1") == ["chk_1:0", "chk_1:1", "chk_1:2"]


def _takes_back_after_a_second(spec: PartSpec) -> PartSpec:
    name = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"
    told = f"{spec.environment[name]} -rabbit consumer_timeout 1000 -rabbit channel_tick_interval 500"
    return replace(spec, environment={**spec.environment, name: told})


@pytest.fixture
def hasty_rabbit(tmp_path: Path) -> Iterator[Server]:
    """RabbitMQ that takes a message back after a second, where others give it half an hour."""
    tmp_path.chmod(0o755)
    server = Server("amqp", tmp_path, _takes_back_after_a_second)
    server.start()
    yield server
    server.kill()


async def test_work_ends_where_rabbitmq_takes_the_message_back(hasty_rabbit: Server, prefix: str) -> None:
    """The other process has it a moment before this one learns of it, no longer; it comes until it is done in time."""
    pair = Pair(seconds=60)
    listens = [(EVENTS, "first", reader.take) for reader in (pair.one, pair.other)]
    async with running(hasty_rabbit, prefix, listens[0]) as broker, running(hasty_rabbit, prefix, listens[1]):
        await broker.publish(EVENTS, message(1))
        await eventually(pair.begun, lambda begun: begun >= 3)
        pair.work_for(seconds=0)
        await eventually(pair.done, lambda done: done == 1)
    assert pair.longest_together() < 0.5
