"""Every broker keeps the same promises: all events, to each group, in order, one at a time, again when not finished."""

import pytest

from events.broker.contract import EVENTS, channel_to, dead_letters_of
from tests.events.broker.reading import Reader, content, message, running, until
from tests.events.servers import Server
from tests.workflows.support import eventually

pytestmark = pytest.mark.timeout(120)


async def test_every_group_gets_everything_in_order(server: Server, prefix: str) -> None:
    """Two groups, three keys, and whatever was published before they came."""
    one, other = Reader(), Reader()
    sent = [message(number, key) for number in range(20) for key in ("chk_a", "chk_b", "chk_c")]
    async with running(server, prefix) as publisher:
        for each in sent[:30]:
            await publisher.publish(EVENTS, each)
        async with running(server, prefix, (EVENTS, "first", one.take), (EVENTS, "second", other.take)):
            for each in sent[30:]:
                await publisher.publish(EVENTS, each)
            for reader in (one, other):
                await until(reader, lambda seen: len(set(seen.ids)) == len(sent))
                for key in ("chk_a", "chk_b", "chk_c"):
                    assert reader.of(key) == [each.id for each in sent if each.key == key]
                assert reader.most_at_once == 1
    assert {each.id: content(each) for each in one.took} == {each.id: content(each) for each in sent}


async def test_what_fails_comes_again_before_its_successors(server: Server, prefix: str) -> None:
    """Nothing overtakes a message whose work failed."""
    reader = Reader(**{"1": 2})
    async with running(server, prefix, (EVENTS, "first", reader.take)) as broker:
        for number in range(4):
            await broker.publish(EVENTS, message(number))
        await until(reader, lambda seen: len(seen.took) >= 4)
    assert reader.of("chk_1") == [f"chk_1:{number}" for number in range(4)]


async def test_what_was_in_hand_at_the_end_comes_again(server: Server, prefix: str) -> None:
    """A reader that is stopped in the middle of its work has not done it."""
    slow, after = Reader(), Reader()
    slow.seconds = 60
    async with running(server, prefix, (EVENTS, "first", slow.take)) as broker:
        for number in range(3):
            await broker.publish(EVENTS, message(number))
        await until(slow, lambda seen: seen.at_once == 1)
    assert slow.took == []
    async with running(server, prefix, (EVENTS, "first", after.take)):
        await until(after, lambda seen: len(seen.took) >= 3)
    assert after.of("chk_1") == ["chk_1:0", "chk_1:1", "chk_1:2"]


async def test_waiting_counts_what_is_not_finished(server: Server, prefix: str) -> None:
    """Down to none, for a group that listens and for one that never did."""
    reader = Reader()
    async with running(server, prefix, (EVENTS, "first", reader.take)) as broker:
        reader.seconds = 60
        for number in range(3):
            await broker.publish(EVENTS, message(number))
        await eventually(lambda: broker.waiting(EVENTS, "first"), lambda count: count == 3)
        assert await broker.waiting(EVENTS, "second") == 3
    async with running(server, prefix, (EVENTS, "first", Reader().take)) as broker:
        await eventually(lambda: broker.waiting(EVENTS, "first"), lambda count: count == 0)
        assert await broker.waiting(EVENTS, "second") == 3


async def test_the_channels_of_one_subscriber_are_its_own(server: Server, prefix: str) -> None:
    """What is sent to one again, on purpose twice, reaches nobody else; dead letters keep what was said of them."""
    mine, others, dead = Reader(), Reader(), Reader()
    listens = ((channel_to("first"), "first", mine.take), (EVENTS, "second", others.take))
    async with running(server, prefix, *listens) as broker:
        for _ in range(2):
            await broker.publish(channel_to("first"), message(7))
        await broker.publish(dead_letters_of("first"), message(8))
        await until(mine, lambda seen: len(seen.took) >= 2)
    async with running(server, prefix, (dead_letters_of("first"), "replay", dead.take)):
        await until(dead, lambda seen: len(seen.took) >= 1)
    assert mine.ids == ["chk_1:7", "chk_1:7"]
    assert others.took == []
    (buried,) = dead.took
    assert (buried.body, dict(buried.headers)["why"]) == (message(8).body, "because")
