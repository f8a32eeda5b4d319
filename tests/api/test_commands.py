"""Confirm, reject, cancel: done once, said as often as one likes."""

import asyncio
import inspect

import pytest

from api.sagas import NotTakenOnError, Sagas
from domain.states import CheckoutState as S

from .conftest import Api
from .stand_in import StandInSagas

NOBODY = "chk_" + "0" * 24


async def paid(api: Api, state: S = S.PAID) -> str:
    """The id of a checkout whose customer has paid and whose shop must confirm."""
    created = (await api.create(confirmation={"required": True})).json()
    await api.sagas.paid(created["id"], state)
    return str(created["id"])


def test_the_stand_in_is_called_as_the_sagas_are() -> None:
    """What these tests prove about calls holds for the real sagas only while the signatures are the same."""
    for command in (
        "open",
        "confirm",
        "capture",
        "reject",
        "cancel",
        "start_refund",
        "submit_evidence",
        "accept",
        "act",
    ):
        assert inspect.signature(getattr(StandInSagas, command)) == inspect.signature(getattr(Sagas, command))


async def test_confirm_completes(api: Api) -> None:
    """Confirming a paid order completes it; confirming again changes nothing and asks the saga nothing."""
    checkout_id = await paid(api)
    for _ in range(2):
        response = await api.client.post(f"/v1/checkouts/{checkout_id}/confirm")
        assert (response.status_code, response.json()["state"]) == (200, "completed")
    assert api.sagas.calls[f"confirm {checkout_id}"] == 1


async def test_reject_leads_to_a_refund(api: Api) -> None:
    """Rejecting a paid order leads to refunding, also when said twice."""
    checkout_id = await paid(api)
    for _ in range(2):
        response = await api.client.post(f"/v1/checkouts/{checkout_id}/reject", json={"reason": "out of stock"})
        assert (response.status_code, response.json()["state"]) == (200, "refunding")
    assert response.json()["failure"] == {"code": "rejected_by_shop", "message": "out of stock"}


async def test_a_rejected_hold_stays_rejected(api: Api) -> None:
    """A hold released by a rejection is canceled; rejecting it again is no conflict, confirming it is."""
    checkout_id = await paid(api, S.AUTHORIZED)
    for _ in range(2):
        response = await api.client.post(f"/v1/checkouts/{checkout_id}/reject", json={"reason": "sold"})
        assert (response.status_code, response.json()["state"]) == (200, "canceled")
    assert (await api.client.post(f"/v1/checkouts/{checkout_id}/confirm", json={})).status_code == 409


async def test_rejecting_what_the_shop_canceled_is_a_conflict(api: Api) -> None:
    """A checkout given up before payment was not rejected, and cannot be."""
    created = (await api.create()).json()
    await api.client.post(f"/v1/checkouts/{created['id']}/cancel")
    response = await api.client.post(f"/v1/checkouts/{created['id']}/reject", json={"reason": "x"})
    assert (response.status_code, response.json()["state"]) == (409, "canceled")


async def test_cancel_ends_a_checkout_nobody_paid(api: Api) -> None:
    """Canceling before payment ends the checkout, also when said twice."""
    created = (await api.create()).json()
    for _ in range(2):
        response = await api.client.post(f"/v1/checkouts/{created['id']}/cancel", json={})
        assert (response.status_code, response.json()["state"]) == (200, "canceled")


@pytest.mark.parametrize(
    ("state", "command", "allowed"),
    [
        (S.AWAITING_PAYMENT, "confirm", ["cancel"]),
        (S.AWAITING_PAYMENT, "reject", ["cancel"]),
        (S.PAID, "cancel", ["confirm", "reject"]),
        (S.EXPIRED, "cancel", []),
        (S.EXPIRED, "confirm", []),
        (S.DECLINED, "reject", []),
    ],
)
async def test_a_conflict_names_the_state_and_the_way_out(api: Api, state: S, command: str, allowed: list[str]) -> None:
    """What the state does not allow is 409 with the state and what would be allowed."""
    checkout_id = await paid(api, state) if state is not S.AWAITING_PAYMENT else (await api.create()).json()["id"]
    body = {"reason": "x"} if command == "reject" else {}
    response = await api.client.post(f"/v1/checkouts/{checkout_id}/{command}", json=body)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (409, "state_conflict")
    assert (problem["state"], problem["allowed"]) == (state, allowed)
    assert str(state) in problem["detail"]


@pytest.mark.parametrize("command", ["confirm", "reject", "cancel"])
async def test_an_unknown_checkout_is_not_found(api: Api, command: str) -> None:
    """Nobody's checkout is 404 whatever is said of it."""
    response = await api.client.post(
        f"/v1/checkouts/{NOBODY}/{command}", json={"reason": "x"} if command == "reject" else {}
    )
    assert (response.status_code, response.json()["code"]) == (404, "checkout_not_found")


async def test_a_command_that_takes_long_is_taken_on(api: Api) -> None:
    """Accepted and not yet done: 202 and the checkout as it stands."""
    checkout_id = await paid(api)
    api.sagas.silent = True
    response = await api.client.post(f"/v1/checkouts/{checkout_id}/confirm")
    assert (response.status_code, response.json()["state"]) == (202, "paid")


async def test_a_command_that_no_worker_heard_is_to_be_said_again(api: Api) -> None:
    """Nobody has accepted it, so it could get lost: 503, and the same key is free for the next try."""
    checkout_id = await paid(api)
    api.sagas.fault = NotTakenOnError("nobody there")
    headers = {"Idempotency-Key": f"confirm {checkout_id}"}
    response = await api.client.post(f"/v1/checkouts/{checkout_id}/confirm", headers=headers)
    assert (response.status_code, response.json()["code"]) == (503, "worker_silent")
    assert int(response.headers["retry-after"]) > 0
    api.sagas.reset()
    response = await api.client.post(f"/v1/checkouts/{checkout_id}/confirm", headers=headers)
    assert (response.status_code, response.json()["state"]) == (200, "completed")


async def test_a_command_without_temporal_is_unavailable(api: Api) -> None:
    """With Temporal down nothing is changed: 503 that names it and says when to come back."""
    checkout_id = await paid(api)
    api.sagas.down = True
    response = await api.client.post(f"/v1/checkouts/{checkout_id}/confirm")
    assert (response.status_code, response.json()["code"]) == (503, "temporal_down")
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize("reason", ["", "x" * 201, "a\nb", 5, None])
async def test_a_rejection_needs_a_reason(api: Api, reason: object) -> None:
    """The reason is 1 to 200 printable characters."""
    response = await api.client.post(f"/v1/checkouts/{NOBODY}/reject", json={"reason": reason})
    assert (response.status_code, response.json()["field"]) == (422, "reason")


async def test_a_body_where_none_belongs_is_refused(api: Api) -> None:
    """Confirm and cancel take an empty object or nothing."""
    response = await api.client.post(f"/v1/checkouts/{NOBODY}/confirm", json={"amount": 1})
    assert (response.status_code, response.json()["field"]) == (422, "amount")


async def test_confirmed_twenty_times_at_once(api: Api) -> None:
    """Impatient shops confirm in parallel; every one of them hears that it is completed."""
    checkout_id = await paid(api)
    path = f"/v1/checkouts/{checkout_id}/confirm"
    responses = await asyncio.gather(*(api.client.post(path) for _ in range(20)))
    assert {(r.status_code, r.json()["state"]) for r in responses} == {(200, "completed")}
