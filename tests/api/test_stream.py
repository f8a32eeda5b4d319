"""Following one checkout over HTTP, on a real server and a real Postgres."""

import asyncio
import secrets
import time
from datetime import timedelta

import pytest

from domain.checkout import CheckoutStatus
from domain.states import CheckoutState
from domain.timeline import Entry

from .conftest import Api, bearer
from .streaming import Told, eventually, reading
from .test_tenders import created as created_split

S = CheckoutState


async def made(api: Api) -> str:
    """The id of a new checkout with two rows."""
    return str((await api.create()).json()["id"])


async def timeline(api: Api, checkout_id: str) -> list[dict[str, object]]:
    """The rows as /timeline shows them, each with the checkout it is of."""
    rows = (await api.client.get(f"/v1/checkouts/{checkout_id}/timeline")).json()["data"]
    return [row | {"checkout_id": checkout_id} for row in rows]


async def remark(api: Api, checkout_id: str, count: int = 1, text: str = "x") -> None:
    """Put rows on the books that change no state."""
    record = await api.services.books.get(checkout_id)
    assert record is not None
    at = record.checkout.created_at + timedelta(seconds=record.sequence)
    status = CheckoutStatus(record.status.state, payment_id=record.status.payment_id)
    entries = [Entry(f"remark:{secrets.token_hex(8)}", status, "operator", at, {"text": text}) for _ in range(count)]
    await api.services.books.append(checkout_id, entries)


async def test_what_was_and_then_what_comes(api: Api) -> None:
    """The rows of the timeline from the first, then each new one as soon as it is committed."""
    checkout_id = await made(api)
    async with reading(api.client, checkout_id) as reader:
        headers = reader.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers.get_list("cache-control") == ["no-store"]
        assert headers["x-content-type-options"] == "nosniff"
        assert [told.data["state"] for told in await reader.events(2)] == ["processing", "awaiting_payment"]
        started = time.monotonic()
        await api.sagas.paid(checkout_id)
        told = await reader.events(3)
        # Long before a stream would look by itself.
        assert time.monotonic() - started < api.services.following.pace.look / 2
    assert [each.data for each in told] == await timeline(api, checkout_id)
    assert [(each.id, each.event) for each in told] == [(str(n), "timeline") for n in (1, 2, 3)]


async def test_only_its_own_rows(api: Api) -> None:
    """What happens to other checkouts meanwhile is not told."""
    mine, other = await made(api), await made(api)
    async with reading(api.client, mine) as reader:
        await reader.events(2)
        await api.sagas.paid(other)
        await api.sagas.paid(mine)
        assert {told.data["checkout_id"] for told in await reader.events(3)} == {mine}


async def test_it_goes_on_where_the_reader_left(api: Api) -> None:
    """After the event that the reader saw last, and not before it."""
    checkout_id = await made(api)
    await remark(api, checkout_id, 3)
    async with reading(api.client, checkout_id) as reader:
        everything = await reader.events(5)
    for seen in range(1, 5):
        async with reading(api.client, checkout_id, after=everything[seen - 1].id) as reader:
            assert await reader.events(5 - seen) == everything[seen:]
    async with reading(api.client, checkout_id, after=everything[-1].id) as reader:
        await remark(api, checkout_id)
        assert [told.id for told in await reader.events(1)] == ["6"]
    async with reading(api.client, checkout_id, after="") as reader:
        assert await reader.events(5) == everything


async def test_long_timelines_come_whole(api: Api) -> None:
    """More rows than are read at once arrive all, once and in order."""
    checkout_id = await made(api)
    await remark(api, checkout_id, 350)
    async with reading(api.client, checkout_id) as reader:
        assert [int(told.id) for told in await reader.events(352)] == list(range(1, 353))


def by_checkout(told: list[Told]) -> dict[str, list[int]]:
    """The sequences that came of each checkout."""
    found: dict[str, list[int]] = {}
    for each in told:
        found.setdefault(each.data["checkout_id"], []).append(each.data["sequence"])
    return found


async def test_a_split_checkout_tells_of_its_tenders(api: Api) -> None:
    """Its stream has its own rows and its tenders', and goes on from any event with exactly what is left."""
    split = await created_split(api)
    members = [split["id"], *(tender["id"] for tender in split["tenders"])]
    async with reading(api.client, split["id"]) as reader:
        await reader.events(6)
        await remark(api, members[2], 2)
        await remark(api, members[0])
        everything = await reader.events(9)
    assert by_checkout(everything) == {members[0]: [1, 2, 3], members[1]: [1, 2], members[2]: [1, 2, 3, 4]}
    assert everything[-1].id == "3.2.4"
    for seen in range(1, 9):
        async with reading(api.client, split["id"], after=everything[seen - 1].id) as reader:
            left = await reader.events(9 - seen)
        assert {(t.data["checkout_id"], t.data["sequence"]) for t in left} == {
            (t.data["checkout_id"], t.data["sequence"]) for t in everything[seen:]
        }
        assert left[-1].id == "3.2.4"
    # A tender can be followed alone.
    async with reading(api.client, members[1]) as reader:
        assert {told.data["checkout_id"] for told in await reader.events(2)} == {members[1]}


async def test_until_it_is_over(api: Api) -> None:
    """With until=final the stream ends after the row that ends the checkout; whoever has seen that gets 204."""
    checkout_id = await made(api)
    async with reading(api.client, checkout_id, until="final") as reader:
        await reader.events(2)
        await api.sagas.sold(checkout_id)
        told = await reader.end()
    assert [each.data["state"] for each in told] == ["processing", "awaiting_payment", "paid", "completed"]
    # Later readers too.
    async with reading(api.client, checkout_id, after="1", until="final") as reader:
        assert await reader.end() == told[1:]
    path = f"/v1/checkouts/{checkout_id}/stream"
    done = await api.client.get(path, params={"until": "final"}, headers={"Last-Event-ID": told[-1].id})
    assert (done.status_code, done.content) == (204, b"")
    # Without it the same reader waits for what may still come.
    async with reading(api.client, checkout_id, after=told[-1].id) as reader:
        await remark(api, checkout_id)
        assert len(await reader.events(1)) == 1


async def test_a_tender_that_is_over_ends_nothing(api: Api) -> None:
    """A split checkout's stream goes on until the whole is over."""
    split = await created_split(api)
    async with reading(api.client, split["id"], until="final") as reader:
        for tender in split["tenders"]:
            await api.sagas.paid(tender["id"], S.CANCELED)
        await reader.events(8)
        await remark(api, split["id"])
        await reader.events(9)
        assert not reader.ended.is_set()
        await api.sagas.paid(split["id"], S.CANCELED)
        assert len(await reader.end()) == 10


async def test_a_state_that_was_left_again_is_no_end(api: Api) -> None:
    """An end that late money reopened does not end the stream of somebody who reads about it later."""
    checkout_id = await made(api)
    for state in (S.CANCELED, S.REFUNDING):
        await api.sagas.paid(checkout_id, state)
    async with reading(api.client, checkout_id, until="final") as reader:
        assert [told.data["state"] for told in await reader.events(4)][2:] == ["canceled", "refunding"]
        await api.sagas.paid(checkout_id, S.REFUNDED)
        assert (await reader.end())[-1].data["state"] == "refunded"


@pytest.mark.parametrize("last", ["x", "-1", "1.", "1.2", "1,2", "1" * 30, "\u0661".encode().decode("latin-1")])
async def test_ids_that_no_stream_gave(api: Api, last: str) -> None:
    """422 names the header."""
    path = f"/v1/checkouts/{await made(api)}/stream"
    answer = await api.client.get(path, headers={b"Last-Event-ID": last.encode("latin-1")})
    assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID")


@pytest.mark.parametrize(("query", "field"), [({"until": "later"}, "until"), ({"since": "1"}, "since")])
async def test_queries_that_do_not_fit(api: Api, query: dict[str, str], field: str) -> None:
    """422 names the parameter."""
    answer = await api.client.get(f"/v1/checkouts/{await made(api)}/stream", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_unknown_checkouts(api: Api) -> None:
    """404 before any stream begins."""
    for unknown in ("chk_x", f"chk_{'0' * 24}"):
        answer = await api.client.get(f"/v1/checkouts/{unknown}/stream")
        assert (answer.status_code, answer.json()["code"]) == (404, "checkout_not_found")


async def test_keys_that_may_not_read(api: Api) -> None:
    """A key without the scope gets 403."""
    path = f"/v1/checkouts/{await made(api)}/stream"
    answer = await api.stranger.get(path, headers=bearer(await api.key("write")))
    assert (answer.status_code, answer.json()["scope"]) == (403, "read")


async def test_readers_that_leave_leave_nothing(api: Api) -> None:
    """Twenty readers of one checkout all hear of it, and when they have gone, nothing of them is kept."""
    checkout_id, following = await made(api), api.services.following
    async with asyncio.timeout(60):
        for _ in range(2):
            entered = [reading(api.client, checkout_id) for _ in range(20)]
            readers = [await each.__aenter__() for each in entered]
            assert following.streams == 20
            await asyncio.gather(*(reader.events(2) for reader in readers))
            await remark(api, checkout_id)
            heard = await asyncio.gather(*(reader.events(3) for reader in readers))
            assert all(len(told) == 3 for told in heard)
            for each in entered:
                await each.__aexit__(None, None, None)
            await eventually(lambda: not following.streams and not following._followers)
