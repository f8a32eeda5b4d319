"""Split checkouts over HTTP: what may be sent, what is answered, and what is refused."""

import asyncio
import secrets
from typing import Any

import pytest

from .conftest import Api, bearer

TENDERS = [{"gateway": "stripe", "amount": 3000}, {"gateway": "stripe", "amount": 1200}]


async def created(api: Api, **changes: object) -> dict[str, Any]:
    """A split checkout as it was answered."""
    answer = await api.create(**({"tenders": TENDERS} | changes))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_a_split_checkout_shows_its_tenders(api: Api) -> None:
    """Each with an id, a gateway, an amount and a next step of its own; the whole is at no gateway."""
    made = await created(api)
    assert (made["gateway"], made["amount"], made["state"], made["parent"]) == ("split", 4200, "awaiting_payment", None)
    assert [(t["gateway"], t["amount"], t["state"]) for t in made["tenders"]] == [
        ("stripe", 3000, "awaiting_payment"),
        ("stripe", 1200, "awaiting_payment"),
    ]
    for tender in made["tenders"]:
        assert tender["next_action"]["client_secret"] == f"pi_{tender['id']}_secret_x"
        assert (tender["failure"], tender["amount_captured"], tender["amount_refunded"]) == (None, 0, 0)
    assert (await api.client.get(f"/v1/checkouts/{made['id']}")).json() == made


async def test_a_single_checkout_has_no_tenders(api: Api) -> None:
    """Neither tenders nor a parent."""
    made = (await api.create()).json()
    assert (made["tenders"], made["parent"]) == (None, None)


async def test_a_tender_is_a_checkout_that_names_its_parent(api: Api) -> None:
    """It can be read like every checkout, with a timeline of its own; its terms are in the first row."""
    made = await created(api, customer={"email": "ada@example.com"}, metadata={"basket": "b-1"})
    tender = made["tenders"][1]
    shown = (await api.client.get(f"/v1/checkouts/{tender['id']}")).json()
    assert (shown["parent"], shown["amount"], shown["tenders"]) == (made["id"], 1200, None)
    first = (await api.client.get(f"/v1/checkouts/{tender['id']}/timeline")).json()["data"][0]
    assert (first["details"]["parent_id"], first["details"]["leg"]) == (made["id"], 2)
    whole = (await api.client.get(f"/v1/checkouts/{made['id']}/timeline")).json()["data"][0]
    assert whole["details"]["tenders"] == "stripe:3000,stripe:1200"
    (leg, *_) = await api.services.books.legs(made["id"])
    assert (leg.checkout.email, leg.checkout.metadata) == (None, None)


async def test_listings_show_the_whole_with_its_tenders(api: Api) -> None:
    """One row for a split checkout, none for its tenders."""
    order = f"order-{secrets.token_hex(6)}"
    made = await created(api, order_id=order)
    data = (await api.client.get("/v1/checkouts", params={"order_id": order})).json()["data"]
    assert data == [made]
    newest = (await api.client.get("/v1/checkouts", params={"limit": 3})).json()["data"]
    assert not {tender["id"] for tender in made["tenders"]} & {row["id"] for row in newest}


async def test_the_same_request_is_the_same_checkout(api: Api) -> None:
    """Clicked twice and at once: one split checkout, its tenders recorded once."""
    order = f"order-{secrets.token_hex(6)}"
    made = await asyncio.gather(*(created(api, order_id=order) for _ in range(5)))
    assert len({one["id"] for one in made}) == 1
    assert len(await api.services.books.legs(made[0]["id"])) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"tenders": [TENDERS[1], TENDERS[0]]},
        {"tenders": [{"gateway": "stripe", "amount": 2100}] * 2},
        {"tenders": None},
        {"capture": "on_confirm"},
        {"amount": 4300, "tenders": [{"gateway": "stripe", "amount": 3100}, TENDERS[1]]},
    ],
)
async def test_other_terms_for_the_order_are_a_conflict(api: Api, changes: dict[str, object]) -> None:
    """The tenders and their order belong to the terms; the answer shows what stands."""
    made = await created(api)
    answer = await api.create(**({"tenders": TENDERS, "order_id": made["order_id"]} | changes))
    assert (answer.status_code, answer.json()["code"]) == (409, "order_conflict")
    assert answer.json()["checkout"]["tenders"] == made["tenders"]


async def test_tenders_for_an_order_with_a_single_checkout_are_a_conflict(api: Api) -> None:
    """A checkout does not turn into a split one."""
    made = (await api.create()).json()
    answer = await api.create(order_id=made["order_id"], tenders=TENDERS)
    assert (answer.status_code, answer.json()["code"]) == (409, "order_conflict")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenders": []}, "tenders"),
        ({"tenders": [{"gateway": "stripe", "amount": 4200}]}, "tenders"),
        ({"tenders": [{"gateway": "stripe", "amount": 700}] * 6}, "tenders"),
        ({"tenders": [TENDERS[0], {"gateway": "stripe", "amount": 1199}]}, "tenders"),
        ({"tenders": TENDERS, "gateway": "stripe"}, "gateway"),
        ({"tenders": [TENDERS[0], {"gateway": "nobody", "amount": 1200}]}, "tenders.1.gateway"),
        ({"tenders": [TENDERS[0], {"gateway": "stripe", "amount": 0}]}, "tenders.1.amount"),
        ({"tenders": [TENDERS[0], {"gateway": "stripe", "amount": 12.0}]}, "tenders.1.amount"),
        ({"tenders": [{"gateway": "stripe", "amount": 4190}, {"gateway": "stripe", "amount": 10}]}, "tenders.1.amount"),
        ({"tenders": [TENDERS[0], {"gateway": "stripe", "amount": 1200, "x": 1}]}, "tenders.1.x"),
        ({"tenders": [TENDERS[0], {"gateway": "stripe"}]}, "tenders.1.amount"),
        ({"tenders": TENDERS, "expires_in_seconds": 86_400}, "expires_in_seconds"),
    ],
)
async def test_a_tender_that_does_not_fit_is_named(api: Api, changes: dict[str, object], field: str) -> None:
    """422 says which tender and which of its fields; places count from 0, as in the list that was sent."""
    answer = await api.create(**changes)
    assert (answer.status_code, answer.json().get("field")) == (422, field), answer.text


async def test_the_time_to_confirm_leaves_room_for_the_time_to_pay(api: Api) -> None:
    """The first tender may be held while the last is paid: both times together must fit the shortest hold."""
    confirmation = {"required": True, "within_seconds": 6 * 86_400 + 82_800}
    held: dict[str, Any] = {"capture": "on_confirm", "confirmation": confirmation}
    assert (await api.create(**held)).status_code == 201
    answer = await api.create(**held, tenders=TENDERS)
    assert (answer.status_code, answer.json()["field"]) == (422, "confirmation.within_seconds")
    confirmation["within_seconds"] = 6 * 86_400 + 82_800 - 1800
    assert (await api.create(**held, tenders=TENDERS)).status_code == 201


@pytest.mark.parametrize("command", ["confirm", "reject", "cancel"])
async def test_a_tender_takes_no_commands(api: Api, command: str) -> None:
    """409 names the checkout that decides for it; nothing reaches the tender's saga."""
    made = await created(api)
    tender = made["tenders"][0]["id"]
    body = {"reason": "out of stock"} if command == "reject" else {}
    answer = await api.client.post(f"/v1/checkouts/{tender}/{command}", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["parent"]) == (409, "part_of_split", made["id"])
    assert not api.sagas.calls[f"{command} {tender}"]


async def test_a_split_checkout_takes_commands_like_every_checkout(api: Api) -> None:
    """A cancel reaches its saga and is answered with its tenders."""
    made = await created(api)
    answer = await api.client.post(f"/v1/checkouts/{made['id']}/cancel", json={})
    assert (answer.status_code, answer.json()["state"]) == (200, "canceled")
    assert len(answer.json()["tenders"]) == 2


async def test_a_split_checkout_is_recorded_while_temporal_is_down(api: Api) -> None:
    """202, and the whole with its tenders is on the books for the dispatcher to start."""
    api.sagas.down = True
    answer = await api.create(tenders=TENDERS)
    assert answer.status_code == 202
    assert [tender["state"] for tender in answer.json()["tenders"]] == ["processing"] * 2


async def test_there_is_nothing_to_explain_about_tenders(api: Api) -> None:
    """The rules choose no gateway where the tenders name theirs."""
    body = {"order_id": "order-1", "amount": 4200, "currency": "USD", "tenders": TENDERS}
    answer = await api.client.post("/v1/routes/explain", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "tenders")


async def test_a_tender_at_a_gateway_under_maintenance_is_refused(api: Api) -> None:
    """An operator keeps new payments away from it: 503, come back, and nothing is recorded."""
    operator = bearer(await api.key("read", "write", "operate"))

    async def set_to(state: str) -> None:
        body = {"state": state, "operation": "create", "reason": "maintenance"}
        answer = await api.client.post("/v1/gateways/stripe/breaker", json=body, headers=operator)
        assert answer.status_code == 200, answer.text

    order = f"order-{secrets.token_hex(6)}"
    await set_to("forced_open")
    try:
        await asyncio.sleep(1.2)  # what a process knows of breakers may be a second old
        answer = await api.create(tenders=TENDERS, order_id=order)
    finally:
        await set_to("automatic")
    assert (answer.status_code, answer.json()["code"]) == (503, "gateway_unavailable"), answer.text
    assert "Retry-After" in answer.headers
    assert await api.services.books.find_by_order(order) is None
    await asyncio.sleep(1.2)
    await created(api, order_id=order)
