"""What an answer of the API means for the event that is worked on: done, never, or later."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from config.settings import ShopApiSettings
from devstack.ports import any_free
from domain.states import CheckoutState
from events.subscribers.contract import PoisonError, TryLaterError
from events.subscribers.shop_api import ShopApi, StateConflictError, connected

CHECKOUT = {"id": "chk_1", "order_id": "o", "state": "paid", "confirmation": None, "metadata": None, "new": "member"}
Answer = Callable[[httpx.Request], httpx.Response]


def api(answer: Answer) -> ShopApi:
    """The client of an API that answers so."""
    return ShopApi(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://api.example"))


def saying(status: int, **document: Any) -> ShopApi:
    """The client of an API that always answers this document."""
    return api(lambda _: httpx.Response(status, json=document))


def problem(status: int, code: str, **members: Any) -> ShopApi:
    """The client of an API that always answers this problem."""
    document = {"code": code, "status": status, "title": "t", "detail": "of ada@shop.example"} | members
    return api(lambda _: httpx.Response(status, json=document))


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_done_or_taken_on_is_done(status: int) -> None:
    """The API keeps its word durably: what it has taken on need not be asked for again."""
    await saying(status, **CHECKOUT).confirm("chk_1", "k")
    await saying(status, **CHECKOUT).reject("chk_1", "out_of_stock", "k")


async def test_a_word_carries_its_key() -> None:
    """The same event says it under the same key, so that the API knows it again."""
    heard: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(200, json=CHECKOUT)

    client = api(answer)
    await client.confirm("chk_1", "orders:chk_1:3")
    await client.reject("chk_1", "out_of_stock", "orders:chk_1:4")
    assert [(r.method, r.url.path, r.headers["idempotency-key"], json.loads(r.content)) for r in heard] == [
        ("POST", "/v1/checkouts/chk_1/confirm", "orders:chk_1:3", {}),
        ("POST", "/v1/checkouts/chk_1/reject", "orders:chk_1:4", {"reason": "out_of_stock"}),
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "unauthorized"),
        (403, "scope_missing"),
        (408, "body_too_slow"),
        (409, "idempotency_key_in_use"),
        (429, "too_many"),
        (500, "internal_error"),
        (503, "temporal_down"),
        (503, "worker_silent"),
    ],
)
async def test_what_passes_or_is_mended_is_tried_again(status: int, code: str) -> None:
    """An order is not given up because a key was revoked or Temporal is down."""
    with pytest.raises(TryLaterError, match=f"{status} {code}"):
        await problem(status, code).confirm("chk_1", "k")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "malformed_body"),
        (404, "checkout_not_found"),
        (409, "part_of_split"),
        (422, "idempotency_key_reused"),
        (422, "validation_failed"),
    ],
)
async def test_a_refusal_of_the_api_is_final(status: int, code: str) -> None:
    """The code is told to whoever looks at the dead letters; the sentence is not, for it may be personal."""
    with pytest.raises(PoisonError, match=f"{status} {code}") as caught:
        await problem(status, code).confirm("chk_1", "k")
    assert "ada@" not in str(caught.value)


async def test_a_conflict_names_where_the_checkout_stands() -> None:
    """Whether that is an end or a pause is for the subscriber to say."""
    with pytest.raises(StateConflictError) as caught:
        await problem(409, "state_conflict", state="canceled", allowed=[]).confirm("chk_1", "k")
    assert caught.value.state is CheckoutState.CANCELED


@pytest.mark.parametrize("status", [301, 302, 400, 404, 413, 502])
async def test_what_something_else_answers_is_no_refusal(status: int) -> None:
    """A proxy, or the wrong address: nothing is given up for that, and no redirect is followed with the key."""
    client = api(lambda _: httpx.Response(status, html="<h1>no</h1>", headers={"Location": "http://evil.example/"}))
    with pytest.raises(TryLaterError, match=str(status)):
        await client.confirm("chk_1", "k")


async def test_an_answer_of_another_shape_is_tried_again() -> None:
    """While a new version is rolled out both may answer."""
    for document in ({}, {"id": 1}, CHECKOUT | {"state": "unheard_of"}):
        with pytest.raises(TryLaterError, match="version"):
            await saying(200, **document).checkout("chk_1")
    with pytest.raises(TryLaterError):
        await api(lambda _: httpx.Response(200, text="not JSON")).email("chk_1")


async def test_an_id_leads_nowhere_else() -> None:
    """Whatever stands where an id should be, it stays one part of the path."""
    paths: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path)
        return httpx.Response(404, json={"code": "checkout_not_found"})

    for odd in ("../refunds", "a/confirm", "a?b=c", "a#b", "\r\nX: y"):
        with pytest.raises(PoisonError):
            await api(answer).email(odd)
    assert all(p.startswith(b"/v1/checkouts/") and p.endswith(b"/customer") and p.count(b"/") == 4 for p in paths)
    assert not any(b"?" in p for p in paths)


async def test_an_api_that_is_not_there_is_tried_again() -> None:
    """Nobody listens."""
    settings = ShopApiSettings(paysaga_api_url=f"http://127.0.0.1:{any_free()}", paysaga_api_key="psk_x")
    async with connected(settings) as client:
        with pytest.raises(TryLaterError, match="ConnectError"):
            await client.checkout("chk_1")


async def test_an_api_that_says_nothing_is_tried_again() -> None:
    """It listens, and never answers."""

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("silence", request=request)

    with pytest.raises(TryLaterError, match="ReadTimeout"):
        await api(silent).confirm("chk_1", "k")
