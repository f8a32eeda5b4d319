"""Captures: all of a hold or parts of it, what is refused by which field, and what a repeated request does."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete

from api.sagas import CommandFailedError, NotTakenOnError
from domain.states import CheckoutState as S
from gateways.contract import Verb
from ledger.tables import idempotency_keys

from .several import Several, several


@pytest.fixture
async def shop(database_url: str, tmp_path: Path) -> AsyncIterator[Several]:
    """Three gateways: one that captures in parts, one that captures once and counts whole euros, one that holds not."""
    async with several(database_url, tmp_path) as made:
        yield made


async def held(shop: Several, gateway: str | None = None, **changes: object) -> str:
    """The id of a checkout over 42 euros whose money is held."""
    created = await shop.create(gateway=gateway or shop.broad, capture="on_confirm", **changes)
    assert created.status_code == 201, created.text
    checkout_id = str(created.json()["id"])
    await shop.api.sagas.held(checkout_id)
    return checkout_id


async def capture(shop: Several, checkout_id: str, key: str | None = None, **body: object) -> httpx.Response:
    """POST a capture."""
    headers = {"Idempotency-Key": key} if key else {}
    return await shop.api.client.post(f"/v1/checkouts/{checkout_id}/capture", json=body, headers=headers)


async def test_a_capture_takes_all_and_completes(shop: Several) -> None:
    """Without an amount all that is held is taken; saying it again changes nothing and asks the saga nothing."""
    checkout_id = await held(shop)
    for _ in range(2):
        body = (await capture(shop, checkout_id)).json()
        assert (body["state"], body["amount_captured"], body["amount_capturable"]) == ("completed", 4200, 0)
    assert shop.api.sagas.calls[f"capture {checkout_id}"] == 1


async def test_parts_are_captured_until_the_final_one(shop: Several) -> None:
    """What may still be captured is shown; the final part releases the rest."""
    checkout_id = await held(shop)
    seen = []
    for body in ({"amount": 1000, "final": False}, {"amount": 500, "final": False}, {"amount": 700}):
        answer = await capture(shop, checkout_id, **body)
        assert answer.status_code == 200
        view = answer.json()
        seen.append((view["state"], view["amount_captured"], view["amount_capturable"]))
    assert seen == [
        ("partially_captured", 1000, 3200),
        ("partially_captured", 1500, 2700),
        ("completed", 2200, 0),
    ]


async def test_two_equal_parts_are_two_captures_and_a_repeated_one_is_one(shop: Several) -> None:
    """Only the idempotency key tells a repetition from another wish; it reaches the saga as the update's id."""
    checkout_id, keys = await held(shop), [secrets.token_hex(8) for _ in range(2)]
    for key in (keys[0], keys[0], keys[1]):
        answer = await capture(shop, checkout_id, key, amount=1000, final=False)
        assert answer.status_code == 200
    assert answer.json()["amount_captured"] == 2000
    assert len(shop.api.sagas.captured) == 2


async def test_a_repeated_capture_is_one_also_when_its_answer_was_lost(shop: Several) -> None:
    """The process died before it kept the answer: the repeated request asks for the same update, and is answered 200.

    That what is left has become less than the amount is no reason to refuse it.
    """
    checkout_id, key = await held(shop), secrets.token_hex(8)
    assert (await capture(shop, checkout_id, key, amount=3000, final=False)).status_code == 200
    caller = await shop.api.services.authenticator.authenticate(shop.api.secret)
    assert caller is not None
    await forget(shop, caller.id, key)
    again = await capture(shop, checkout_id, key, amount=3000, final=False)
    assert (again.status_code, again.json()["amount_captured"]) == (200, 3000)
    assert "idempotent-replayed" not in again.headers
    assert shop.api.sagas.calls[f"capture {checkout_id}"] == 2


async def forget(shop: Several, api_key_id: str, key: str) -> None:
    """The answer under this key was never kept."""
    engine = shop.api.services.idempotency._engine
    async with engine.connect() as connection:
        k = idempotency_keys.c
        await connection.execute(delete(idempotency_keys).where(k.api_key_id == api_key_id, k.key == key))


async def test_the_rest_is_released_by_a_final_capture_of_nothing(shop: Several) -> None:
    """Amount 0 with final ends a checkout that is captured in part; what was taken stays sold."""
    checkout_id = await held(shop)
    await capture(shop, checkout_id, amount=1000, final=False)
    view = (await capture(shop, checkout_id, amount=0)).json()
    assert (view["state"], view["amount_captured"], view["amount_capturable"]) == ("completed", 1000, 0)


@pytest.mark.parametrize(
    ("gateway", "body", "field"),
    [
        ("broad", {"amount": 4201}, "amount"),
        ("broad", {"amount": 4201, "final": False}, "amount"),
        ("broad", {"amount": 0, "final": False}, "amount"),
        ("broad", {"amount": -1}, "amount"),
        ("broad", {"amount": 10.0}, "amount"),
        ("broad", {"amount": "10"}, "amount"),
        ("broad", {"amount": True}, "amount"),
        ("broad", {"final": False}, "final"),
        ("broad", {"final": "no"}, "final"),
        ("broad", {"final": None}, "final"),
        ("broad", {"sum": 1}, "sum"),
        ("narrow", {"amount": 1000, "final": False}, "final"),
        ("narrow", {"amount": 1050}, "amount"),
    ],
)
async def test_what_can_never_be_captured_is_named(
    shop: Several, gateway: str, body: dict[str, object], field: str
) -> None:
    """422 by the field at fault: more than the checkout, parts where the gateway captures once, a wrong grain."""
    checkout_id = await held(shop, getattr(shop, gateway))
    answer = await capture(shop, checkout_id, **body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert shop.api.sagas.calls[f"capture {checkout_id}"] == 0


async def test_a_part_may_be_less_than_the_least_charge(shop: Several) -> None:
    """The gateway's least amount is for charges: a hold of 42 euros may be captured with one euro."""
    checkout_id = await held(shop, shop.narrow)
    answer = await capture(shop, checkout_id, amount=100)
    assert (answer.status_code, answer.json()["amount_captured"]) == (200, 100)


async def test_more_than_is_left_is_refused_by_the_amount(shop: Several) -> None:
    """What the checkout would bear and its hold no longer does is 422 too, and nothing is taken."""
    checkout_id = await held(shop)
    await capture(shop, checkout_id, amount=4000, final=False)
    answer = await capture(shop, checkout_id, amount=201, final=False)
    assert (answer.status_code, answer.json()["field"]) == (422, "amount")
    assert (await shop.api.client.get(f"/v1/checkouts/{checkout_id}")).json()["amount_captured"] == 4000


@pytest.mark.parametrize(
    ("state", "allowed"),
    [(S.AWAITING_PAYMENT, ["cancel"]), (S.PAID, ["confirm", "reject"]), (S.EXPIRED, []), (S.CANCELED, [])],
)
async def test_a_checkout_that_holds_nothing_is_a_conflict(shop: Several, state: S, allowed: list[str]) -> None:
    """409 with the state and what it allows."""
    created = await shop.create(gateway=shop.broad, capture="on_confirm")
    checkout_id = created.json()["id"]
    if state is not S.AWAITING_PAYMENT:
        await shop.api.sagas.paid(checkout_id, state)
    answer = await capture(shop, checkout_id)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "state_conflict")
    assert (problem["state"], problem["allowed"]) == (state, allowed)


@pytest.mark.parametrize(
    ("command", "allowed"), [("cancel", ["confirm", "capture"]), ("reject", ["confirm", "capture"])]
)
async def test_after_a_part_it_can_only_be_kept(shop: Several, command: str, allowed: list[str]) -> None:
    """What was captured is sold: neither cancel nor reject, and the answer says what is possible."""
    checkout_id = await held(shop)
    await capture(shop, checkout_id, amount=1000, final=False)
    body = {"reason": "x"} if command == "reject" else {}
    answer = await shop.api.client.post(f"/v1/checkouts/{checkout_id}/{command}", json=body)
    assert (answer.status_code, answer.json()["allowed"]) == (409, allowed)


async def test_a_decline_of_the_gateway_is_told(shop: Several) -> None:
    """The card's bank will not have a second capture: 409 with the reason, kept under the key."""
    checkout_id, key = await held(shop), secrets.token_hex(8)
    shop.api.sagas.fault = CommandFailedError("not_supported", "the card takes one capture")
    first = await capture(shop, checkout_id, key, amount=1000, final=False)
    shop.api.sagas.fault = None
    second = await capture(shop, checkout_id, key, amount=1000, final=False)
    assert (first.status_code, first.json()["code"], first.json()["reason"]) == (
        409,
        "capture_declined",
        "not_supported",
    )
    assert (second.status_code, second.content) == (409, first.content)


@pytest.mark.parametrize(("trouble", "status", "code"), [("down", 503, "temporal_down"), ("silent", 202, None)])
async def test_an_outage_is_told_as_for_the_other_commands(
    shop: Several, trouble: str, status: int, code: str | None
) -> None:
    """Temporal down: 503 and nothing changed; taken on and not done in time: 202."""
    checkout_id = await held(shop)
    setattr(shop.api.sagas, trouble, True)
    answer = await capture(shop, checkout_id)
    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_a_capture_that_no_worker_heard_is_to_be_said_again(shop: Several) -> None:
    """503, and the key is free."""
    checkout_id, key = await held(shop), secrets.token_hex(8)
    shop.api.sagas.fault = NotTakenOnError("nobody there")
    answer = await capture(shop, checkout_id, key)
    assert (answer.status_code, answer.json()["code"]) == (503, "worker_silent")
    shop.api.sagas.fault = None
    assert (await capture(shop, checkout_id, key)).status_code == 200


async def test_a_split_checkout_is_captured_by_its_confirmation(shop: Several) -> None:
    """Neither the whole nor a tender of it is captured in parts: all or nothing."""
    tenders = [{"gateway": shop.broad, "amount": 3000}, {"gateway": shop.broad, "amount": 1200}]
    whole = (await shop.create(tenders=tenders, capture="on_confirm")).json()
    answer = await capture(shop, whole["id"])
    assert (answer.status_code, answer.json()["code"]) == (409, "split_checkout")
    tender = await capture(shop, whole["tenders"][0]["id"])
    assert (tender.status_code, tender.json()["code"]) == (409, "part_of_split")


async def test_twenty_at_once_take_it_once(shop: Several) -> None:
    """Impatient shops capture all that is left in parallel: it is taken once, and nobody hears of an error of ours."""
    checkout_id = await held(shop)
    answers = await asyncio.gather(*(capture(shop, checkout_id) for _ in range(20)))
    assert {a.status_code for a in answers} in ({200}, {200, 409})
    assert (await shop.api.client.get(f"/v1/checkouts/{checkout_id}")).json()["amount_captured"] == 4200
    postings = (await shop.api.client.get(f"/v1/checkouts/{checkout_id}/postings")).json()["data"]
    assert [p["kind"] for p in postings if p["account"].endswith(":sales")] == ["capture"]


@pytest.mark.parametrize("policy", ["cancel", "capture", "reauthorize"])
async def test_the_end_of_a_hold_is_the_shops_choice(shop: Several, policy: str) -> None:
    """It is shown, kept, and part of the order's terms."""
    body = {"order_id": f"order-{secrets.token_hex(6)}x", "gateway": shop.broad, "capture": "on_confirm"}
    made = await shop.create(**body, on_hold_expiry=policy)
    assert (made.status_code, made.json()["on_hold_expiry"]) == (201, policy)
    record = await shop.api.services.books.get(made.json()["id"])
    assert record is not None
    assert record.checkout.on_hold_expiry == policy
    assert (await shop.create(**body, on_hold_expiry=policy)).json()["id"] == made.json()["id"]
    other = "capture" if policy == "cancel" else "cancel"
    again = await shop.create(**body, on_hold_expiry=other)
    assert (again.status_code, again.json()["code"]) == (409, "order_conflict")


async def test_the_policy_is_refused_where_it_means_nothing(shop: Several) -> None:
    """Without a hold, with tenders, and at a named gateway that cannot hold anew."""
    tenders = [{"gateway": shop.broad, "amount": 3000}, {"gateway": shop.broad, "amount": 1200}]
    for body in (
        {"gateway": shop.broad, "on_hold_expiry": "capture"},
        {"gateway": shop.narrow, "capture": "on_confirm", "on_hold_expiry": "reauthorize"},
        {"tenders": tenders, "capture": "on_confirm", "on_hold_expiry": "capture"},
        {"gateway": shop.broad, "capture": "on_confirm", "on_hold_expiry": "keep"},
    ):
        answer = await shop.create(**body)
        assert (answer.status_code, answer.json()["field"]) == (422, "on_hold_expiry"), body


@pytest.mark.parametrize(
    ("policy", "usual", "longest"),
    [("cancel", 6 * 86_400, 7 * 86_400 - 3600), ("capture", 7 * 86_400, 30 * 86_400)],
)
async def test_a_hold_that_is_captured_at_its_end_outlasts_the_deadline(
    shop: Several, policy: str, usual: int, longest: int
) -> None:
    """Else the shop's silence would undo the sale a day before the hold's end could capture it."""
    body = {"gateway": shop.broad, "capture": "on_confirm", "on_hold_expiry": policy}
    made = await shop.create(**body)
    record = await shop.api.services.books.get(made.json()["id"])
    assert record is not None
    assert record.checkout.confirm_within_seconds == usual
    for seconds, status in ((longest, 201), (longest + 1, 422)):
        asked = {"required": True, "within_seconds": seconds}
        assert (await shop.create(**body, confirmation=asked)).status_code == status


def test_the_gateways_of_this_test_differ_as_it_says(shop: Several) -> None:
    """One captures in parts and holds anew, the other does neither."""
    broad, narrow = (shop.api.services.gateways[name].capabilities for name in (shop.broad, shop.narrow))
    assert (broad.several_captures, narrow.several_captures) == (True, False)
    assert (broad.reauthorize_after is None, narrow.reauthorize_after is None) == (False, True)
    assert Verb.SUBMIT_EVIDENCE in broad.answers_disputes - narrow.answers_disputes


async def test_another_capture_under_the_same_key_is_not_said_to_be_done(shop: Several) -> None:
    """The first was done and its answer lost: another amount under its key is never said to be done when it is not."""
    checkout_id, key = await held(shop), secrets.token_hex(8)
    assert (await capture(shop, checkout_id, key, amount=1000, final=False)).status_code == 200
    caller = await shop.api.services.authenticator.authenticate(shop.api.secret)
    assert caller is not None
    await forget(shop, caller.id, key)
    answer = await capture(shop, checkout_id, key, amount=3000)
    told = answer.json()
    assert answer.status_code in (409, 422) or told["amount_captured"] == 4000, (
        f"{answer.status_code}: {told['state']}, {told['amount_captured']} captured; 3000 final was asked for"
    )
