"""Creating, reading and listing checkouts."""

import asyncio
import re

import pytest

from .conftest import Api, order

FIELDS = {
    "id",
    "order_id",
    "state",
    "amount",
    "currency",
    "gateway",
    "amount_capturable",
    "amount_captured",
    "amount_refunded",
    "on_hold_expiry",
    "next_action",
    "failure",
    "created_at",
    "updated_at",
    "expires_at",
    "tenders",
    "parent",
    "confirmation",
    "metadata",
}


async def test_create_answers_the_checkout_with_the_next_step(api: Api) -> None:
    """A new checkout is answered 201 with the documented members and where to find it."""
    response = await api.create(order_id="shop-1")
    body = response.json()
    assert response.status_code == 201
    assert set(body) == FIELDS
    assert re.fullmatch(r"chk_[0-9A-Za-z]{24}", body["id"])
    assert response.headers["location"] == f"/v1/checkouts/{body['id']}"
    assert (body["state"], body["amount"], body["currency"], body["gateway"]) == (
        "awaiting_payment",
        4200,
        "USD",
        "stripe",
    )
    assert body["next_action"] == {"type": "confirm", "client_secret": f"pi_{body['id']}_secret_x"}
    assert (await api.client.get(response.headers["location"])).json() == body


async def test_nothing_of_the_request_is_lost(api: Api) -> None:
    """What the shop sent is on the books: capture, confirmation, expiry, return address, customer, metadata."""
    response = await api.create(
        gateway="stripe",
        capture="on_confirm",
        confirmation={"required": True, "within_seconds": 500},
        expires_in_seconds=600,
        return_url="https://shop.example/thanks?a=b",
        customer={"email": "ada@example.com"},
        metadata={"basket": "b-77", "note": "žluťoučký 🐎"},
    )
    record = await api.services.books.get(response.json()["id"])
    assert record is not None
    checkout = record.checkout
    assert (checkout.capture, checkout.confirm_within_seconds) == ("on_confirm", 500)
    assert (checkout.expires_at - checkout.created_at).total_seconds() == 600
    assert (checkout.return_url, checkout.email) == ("https://shop.example/thanks?a=b", "ada@example.com")
    assert checkout.metadata == {"basket": "b-77", "note": "žluťoučký 🐎"}


@pytest.mark.parametrize(
    ("asked", "within"),
    [
        ({}, None),
        ({"confirmation": {"required": False}}, None),
        ({"confirmation": {"required": True}}, 86_400),
        ({"confirmation": {"required": True, "within_seconds": 1}}, 1),
        ({"capture": "on_confirm"}, 6 * 86_400),
        ({"capture": "on_confirm", "confirmation": {"required": True}}, 6 * 86_400),
        ({"capture": "on_confirm", "confirmation": {"required": True, "within_seconds": 7 * 86_400 - 3600}}, 601_200),
    ],
)
async def test_the_confirmation_deadline_has_sound_defaults(api: Api, asked: dict[str, object], within: int) -> None:
    """Unless the shop says otherwise a confirmation has a day, and a hold is captured a day before it lapses."""
    record = await api.services.books.get((await api.create(**asked)).json()["id"])
    assert record is not None
    assert record.checkout.confirm_within_seconds == within


async def test_two_clicks_give_one_checkout(api: Api) -> None:
    """Twenty equal requests for one order at once, without a key, give one checkout and one answer."""
    body = order()
    responses = await asyncio.gather(*(api.client.post("/v1/checkouts", json=body) for _ in range(20)))
    assert {r.status_code for r in responses} == {201}
    assert len({r.json()["id"] for r in responses}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 4300},
        {"currency": "EUR"},
        {"capture": "on_confirm"},
        {"confirmation": {"required": True}},
    ],
)
async def test_another_request_for_the_order_is_a_conflict(api: Api, change: dict[str, object]) -> None:
    """An order that has a checkout on other terms is answered 409 with that checkout."""
    body = order()
    first = (await api.client.post("/v1/checkouts", json=body)).json()
    response = await api.client.post("/v1/checkouts", json=body | change)
    assert response.status_code == 409
    assert response.json()["code"] == "order_conflict"
    assert response.json()["checkout"] == first


@pytest.mark.parametrize("trouble", ["down", "silent"])
async def test_the_checkout_is_recorded_when_nobody_answers(api: Api, trouble: str) -> None:
    """With Temporal or its worker down the answer is 202, state processing; the same request later opens it."""
    setattr(api.sagas, trouble, True)
    body = order()
    response = await api.client.post("/v1/checkouts", json=body)
    assert (response.status_code, response.json()["state"]) == (202, "processing")
    assert response.headers["location"].endswith(response.json()["id"])
    api.sagas.reset()
    again = await api.client.post("/v1/checkouts", json=body)
    assert (again.status_code, again.json()["state"]) == (201, "awaiting_payment")
    assert again.json()["id"] == response.json()["id"]


async def test_a_checkout_that_moved_on_is_not_opened_again(api: Api) -> None:
    """A repeated request for an order whose saga runs asks the saga for nothing."""
    body = order()
    first = (await api.client.post("/v1/checkouts", json=body)).json()
    await api.client.post("/v1/checkouts", json=body)
    assert api.sagas.calls[f"open {first['id']}"] == 1


async def test_the_timeline_is_a_chain(api: Api) -> None:
    """Rows are numbered from 1, and each names the hash of the one before."""
    created = (await api.create()).json()
    rows = (await api.client.get(f"/v1/checkouts/{created['id']}/timeline")).json()["data"]
    assert [(r["sequence"], r["state"], r["cause"]) for r in rows] == [
        (1, "processing", "api"),
        (2, "awaiting_payment", "api"),
    ]
    assert rows[1]["previous_hash"] == rows[0]["hash"]
    assert rows[0]["details"] == {"amount": 4200, "currency": "USD", "gateway": "stripe", "capture": "automatic"}
    assert set(rows[0]) == {"sequence", "key", "state", "cause", "at", "details", "hash", "previous_hash"}


async def test_a_checkout_nobody_paid_has_no_postings(api: Api) -> None:
    """Nothing moved, so the list is empty, and it is no 404."""
    created = (await api.create()).json()
    response = await api.client.get(f"/v1/checkouts/{created['id']}/postings")
    assert (response.status_code, response.json()) == (200, {"data": []})


@pytest.mark.parametrize("path", ["", "/timeline", "/postings"])
@pytest.mark.parametrize(
    "checkout_id", ["chk_" + "a" * 24, "chk_x", "%00", "%ED%A0%80", "..%2F..", "é", "%F0%9F%90%8E" * 50]
)
async def test_an_unknown_id_is_not_found(api: Api, path: str, checkout_id: str) -> None:
    """Ids of other shapes and of nobody are 404 problems."""
    response = await api.client.get(f"/v1/checkouts/{checkout_id}{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_listing_goes_through_all_pages(api: Api) -> None:
    """Pages follow each other newest first without gap or overlap, and keep to the filter."""
    ids = [(await api.create(currency="ISK", amount=50_000)).json()["id"] for _ in range(5)]
    await api.sagas.paid(ids[0])
    seen: list[str] = []
    cursor = None
    while True:
        query = {"state": "awaiting_payment", "gateway": "stripe", "stuck": "false", "limit": "2"}
        page = (await api.client.get("/v1/checkouts", params=query | ({"cursor": cursor} if cursor else {}))).json()
        assert len(page["data"]) <= 2
        seen += [checkout["id"] for checkout in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None or set(ids[1:]) <= set(seen):
            break
    assert [i for i in seen if i in ids] == ids[:0:-1]
    assert len(seen) == len(set(seen))


async def test_the_listing_shows_what_is_stuck(api: Api) -> None:
    """`stuck=true` shows the checkouts a person should look at, `stuck=false` the others."""
    stuck, fine = [(await api.create()).json()["id"] for _ in range(2)]
    await api.sagas.stuck(stuck)
    listed = {}
    for choice in ("true", "false"):
        page = (await api.client.get("/v1/checkouts", params={"stuck": choice, "limit": 200})).json()
        listed[choice] = {checkout["id"] for checkout in page["data"]}
    assert stuck in listed["true"] - listed["false"]
    assert fine in listed["false"] - listed["true"]


async def test_the_listing_finds_an_order(api: Api) -> None:
    """`order_id` gives the order's one checkout."""
    created = (await api.create(order_id="find me/ü")).json()
    page = (await api.client.get("/v1/checkouts", params={"order_id": "find me/ü"})).json()
    assert page == {"data": [created], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=open", "state"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("stuck=maybe", "stuck"),
        ("gateway=Not%20One", "gateway"),
        ("order_id=%00", "order_id"),
        ("order_id=" + "x" * 65, "order_id"),
        ("cursor=nonsense", "cursor"),
        ("cursor=%FF", "cursor"),
        ("nothing=1", "nothing"),
    ],
)
async def test_a_filter_that_does_not_fit_is_named(api: Api, query: str, field: str) -> None:
    """Every wrong filter is a 422 problem naming it."""
    response = await api.client.get(f"/v1/checkouts?{query}")
    assert (response.status_code, response.json().get("field")) == (422, field)
