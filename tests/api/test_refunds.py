"""Refunds over HTTP: reserved, started, shown; never more than there is, and a repeated request is one refund."""

import asyncio
import re
import secrets
from datetime import UTC, datetime

import httpx
import pytest

from domain.dispute import DisputeSnapshot, DisputeState
from domain.money import Money
from domain.payment import RefundSnapshot, RefundStatus
from domain.refund import Refund
from domain.states import CheckoutState as S

from .conftest import Api, bearer
from .test_tenders import TENDERS

NOBODY = "chk_" + "0" * 24


async def sold(api: Api) -> str:
    """The id of a completed checkout over 42 dollars."""
    checkout_id = str((await api.create()).json()["id"])
    await api.sagas.sold(checkout_id)
    return checkout_id


async def refund(api: Api, checkout_id: str, key: str | None = None, **body: object) -> httpx.Response:
    """POST a refund."""
    headers = {"Idempotency-Key": key} if key else {}
    return await api.client.post(f"/v1/checkouts/{checkout_id}/refunds", json=body, headers=headers)


async def listed(api: Api, checkout_id: str) -> dict[str, object]:
    """What the list of refunds says."""
    return dict((await api.client.get(f"/v1/checkouts/{checkout_id}/refunds")).json())


async def test_a_refund_gives_back_all_that_is_left(api: Api) -> None:
    """201 with the refund as it ended, where to find it, and the totals of the checkout."""
    checkout_id = await sold(api)
    answer = await refund(api, checkout_id, reason="changed her mind")
    view = answer.json()
    assert answer.status_code == 201
    assert re.fullmatch(r"rfd_[0-9A-Za-z]{24}", view["id"])
    assert answer.headers["location"] == f"/v1/checkouts/{checkout_id}/refunds/{view['id']}"
    assert (view["status"], view["amount"], view["currency"], view["reason"], view["failure"]) == (
        "succeeded",
        4200,
        "USD",
        "changed her mind",
        None,
    )
    assert view["gateway_refund_id"] == f"re_{view['id']}"
    assert (await api.client.get(answer.headers["location"])).json() == view
    assert await listed(api, checkout_id) == {"data": [view], "available": 0}
    checkout = (await api.client.get(f"/v1/checkouts/{checkout_id}")).json()
    assert (checkout["state"], checkout["amount_captured"], checkout["amount_refunded"]) == ("completed", 4200, 4200)


async def test_parts_until_nothing_is_left(api: Api) -> None:
    """Equal parts are refunds of their own; the last takes what is left, and one more is a conflict."""
    checkout_id = await sold(api)
    amounts = [(await refund(api, checkout_id, **body)).json()["amount"] for body in ({"amount": 1500},) * 2]
    amounts.append((await refund(api, checkout_id)).json()["amount"])
    assert amounts == [1500, 1500, 1200]
    answer = await refund(api, checkout_id)
    assert (answer.status_code, answer.json()["code"], answer.json()["available"]) == (
        409,
        "amount_exceeds_available",
        0,
    )


async def test_two_of_sixty_on_a_hundred(api: Api) -> None:
    """Asked for at once, one is reserved and the other hears what is available."""
    checkout_id = await sold(api)
    answers = await asyncio.gather(*(refund(api, checkout_id, amount=2600) for _ in range(2)))
    assert sorted(a.status_code for a in answers) == [201, 409]
    (refused,) = (a.json() for a in answers if a.status_code == 409)
    assert (refused["code"], refused["available"]) == ("amount_exceeds_available", 1600)


async def test_ten_that_ask_for_everything(api: Api) -> None:
    """Each asks for all that is left: one gets all, and together they get no more than was captured."""
    checkout_id = await sold(api)
    answers = await asyncio.gather(*(refund(api, checkout_id) for _ in range(10)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 9
    assert sum(view["amount"] for view in (await listed(api, checkout_id))["data"]) == 4200  # type: ignore[attr-defined]


async def test_a_pending_refund_keeps_its_amount(api: Api) -> None:
    """The gateway is not through with it: 201, pending, and its amount is not available."""
    checkout_id = await sold(api)
    api.sagas.refund_status = RefundStatus.PENDING
    view = (await refund(api, checkout_id, amount=4000)).json()
    assert view["status"] == "pending"
    assert (await listed(api, checkout_id))["available"] == 200
    assert (await refund(api, checkout_id, amount=201)).status_code == 409


async def test_a_refund_that_failed_says_why_and_releases_its_amount(api: Api) -> None:
    """A decline of the gateway is an answer: 201, failed, with a code; the amount can be asked for again."""
    checkout_id = await sold(api)
    api.sagas.refund_status = RefundStatus.FAILED
    answer = await refund(api, checkout_id, amount=4000)
    assert (answer.status_code, answer.json()["status"]) == (201, "failed")
    assert answer.json()["failure"]["code"]
    assert (await listed(api, checkout_id))["available"] == 4200


@pytest.mark.parametrize("trouble", ["down", "silent"])
async def test_a_refund_is_recorded_when_nobody_answers(api: Api, trouble: str) -> None:
    """Temporal down is 202: it is reserved, the dispatcher starts it. Taken on and not ended is 201, pending."""
    checkout_id = await sold(api)
    setattr(api.sagas, trouble, True)
    answer = await refund(api, checkout_id, amount=1000)
    assert (answer.status_code, answer.json()["status"]) == (202 if trouble == "down" else 201, "pending")
    assert answer.headers["location"].endswith(answer.json()["id"])
    assert (await listed(api, checkout_id))["available"] == 3200


async def test_a_server_that_hangs_keeps_nobody_waiting(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal takes the call and does not answer it: 202 before long, since the refund is recorded."""
    monkeypatch.setattr("api.refunding.START_SECONDS", 0.3)
    checkout_id = await sold(api)
    api.sagas.pause = 20
    answer = await refund(api, checkout_id, amount=1000)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")


@pytest.mark.parametrize(("state", "open"), [(DisputeState.NEEDS_RESPONSE, True), (DisputeState.INQUIRY, False)])
async def test_an_open_dispute_blocks_refunds(api: Api, state: DisputeState, open: bool) -> None:  # noqa: A002
    """While the money is with the bank a refund would pay twice; an inquiry is answered by one."""
    checkout_id = await sold(api)
    withdrawn = Money(4200 if open else 0, "USD")
    dispute = DisputeSnapshot(
        "stripe", f"du_{checkout_id}", f"pi_{checkout_id}", None, Money(4200, "USD"), withdrawn, state, "fraud", False
    )
    await api.sagas.disputed(dispute, checkout_id)
    answer = await refund(api, checkout_id, amount=100)
    if open:
        assert (answer.status_code, answer.json()["code"]) == (409, "dispute_open")
        assert (await listed(api, checkout_id))["available"] == 0
    else:
        assert answer.status_code == 201


@pytest.mark.parametrize(
    ("state", "allowed"), [(S.AUTHORIZED, ["confirm", "capture", "reject", "cancel"]), (S.PAID, ["confirm", "reject"])]
)
async def test_only_a_sale_is_refunded(api: Api, state: S, allowed: list[str]) -> None:
    """Before the sale is made 409 says what is possible instead."""
    checkout_id = (await api.create(confirmation={"required": True})).json()["id"]
    await api.sagas.paid(checkout_id, state)
    answer = await refund(api, checkout_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_refund")
    assert (answer.json()["state"], answer.json()["allowed"]) == (state, allowed)


async def test_a_split_checkout_is_refunded_at_its_tenders(api: Api) -> None:
    """The whole answers 409 with the tenders' ids; a tender is refunded like any checkout."""
    whole = (await api.create(tenders=TENDERS)).json()
    ids = [tender["id"] for tender in whole["tenders"]]
    answer = await refund(api, whole["id"])
    assert (answer.status_code, answer.json()["code"], answer.json()["tenders"]) == (409, "split_checkout", ids)
    await api.sagas.sold(ids[0])
    given = await refund(api, ids[0], amount=500)
    assert (given.status_code, given.json()["checkout"]) == (201, ids[0])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": "5"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": 10**18}, "amount"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"currency": "EUR"}, "currency"),
    ],
)
async def test_what_does_not_fit_is_named(api: Api, body: dict[str, object], field: str) -> None:
    """422 by the field at fault, and nothing is reserved."""
    checkout_id = await sold(api)
    answer = await refund(api, checkout_id, **body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert await listed(api, checkout_id) == {"data": [], "available": 4200}


async def test_a_refund_below_the_least_charge_is_fine(api: Api) -> None:
    """The gateway's least amount is for charges."""
    assert (await refund(api, await sold(api), amount=1)).status_code == 201


async def test_a_gateway_that_is_gone_reserves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sale at a gateway that is no longer configured cannot be refunded by us now: 503, and nothing is set aside."""
    checkout_id = await sold(api)
    monkeypatch.delitem(api.services.gateways, "stripe")  # type: ignore[arg-type]
    answer = await refund(api, checkout_id)
    assert (answer.status_code, answer.json()["code"]) == (503, "gateway_unavailable")
    assert await listed(api, checkout_id) == {"data": [], "available": 4200}


async def test_giving_money_back_takes_the_scope(api: Api) -> None:
    """A key that may read and write may not refund; the list is for readers."""
    checkout_id = await sold(api)
    headers = bearer(await api.key("read", "write"))
    answer = await api.stranger.post(f"/v1/checkouts/{checkout_id}/refunds", json={}, headers=headers)
    assert (answer.status_code, answer.json()["scope"]) == (403, "refund")
    assert (await api.stranger.get(f"/v1/checkouts/{checkout_id}/refunds", headers=headers)).status_code == 200


async def test_unknown_refunds_are_not_found(api: Api) -> None:
    """Nobody's checkout, nobody's refund, and the refund of another checkout."""
    checkout_id, other = await sold(api), await sold(api)
    refund_id = (await refund(api, other, amount=100)).json()["id"]
    for path, code in (
        (f"{NOBODY}/refunds", "checkout_not_found"),
        (f"{NOBODY}/refunds/{refund_id}", "checkout_not_found"),
        (f"{checkout_id}/refunds/{refund_id}", "refund_not_found"),
        (f"{checkout_id}/refunds/rfd_{'0' * 24}", "refund_not_found"),
        (f"{checkout_id}/refunds/%00", "refund_not_found"),
    ):
        answer = await api.client.get(f"/v1/checkouts/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert (await refund(api, NOBODY)).status_code == 404


async def test_refunds_stand_on_the_timeline_and_in_the_postings(api: Api) -> None:
    """One row for what was asked, one for each thing the gateway did; the postings tell of the same refund."""
    checkout_id = await sold(api)
    view = (await refund(api, checkout_id, amount=1000)).json()
    rows = (await api.client.get(f"/v1/checkouts/{checkout_id}/timeline")).json()["data"]
    told = [row["details"] for row in rows if row["details"].get("refund_id") == view["id"]]
    assert told[0]["amount"] == 1000
    assert view["gateway_refund_id"] in {details.get("gateway_refund_id") for details in told}
    postings = (await api.client.get(f"/v1/checkouts/{checkout_id}/postings")).json()["data"]
    kinds = {p["kind"] for p in postings if p["reference"] == view["gateway_refund_id"]}
    assert kinds == {"refund", "refund_settled"}


async def test_a_refund_made_in_the_dashboard_lowers_what_is_available(api: Api) -> None:
    """What the gateway gave back without us is not given back again."""
    checkout_id = await sold(api)
    shown = RefundSnapshot(f"re_{secrets.token_hex(6)}", Money(4000, "USD"), RefundStatus.SUCCEEDED)
    await api.sagas.gateway_shows(checkout_id, shown)
    assert await listed(api, checkout_id) == {"data": [], "available": 200}
    answer = await refund(api, checkout_id)
    assert (answer.status_code, answer.json()["amount"]) == (201, 200)


async def test_all_that_is_left_is_read_anew_when_another_takes_a_part(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another refund is reserved between reading what is available and reserving it: what is left then is given."""
    checkout_id = await sold(api)
    refunds = api.services.refunds
    read = refunds.available

    async def overtaken(wanted: str) -> Money:
        available = await read(wanted)
        monkeypatch.undo()
        other = Refund(f"rfd_{secrets.token_hex(12)}", wanted, Money(1000, "USD"), None, datetime.now(UTC))
        await refunds.reserve(other)
        return available

    monkeypatch.setattr(refunds, "available", overtaken)
    answer = await refund(api, checkout_id)
    assert (answer.status_code, answer.json()["amount"]) == (201, 3200)
