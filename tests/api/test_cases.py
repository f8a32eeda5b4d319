"""Cases over HTTP: what waits for a person, what may be ordered, by whom, and what is said when it may not."""

import secrets
from typing import Any

import httpx
import pytest

from api.sagas import CommandRefusedError, NotTakenOnError, SagaEndedError
from domain.case import ACTIONS, CaseAction, CaseKind, OpenCase, allowed
from domain.states import CheckoutState as S

from .conftest import Api, bearer

K = CaseKind


async def stuck(api: Api, kind: CaseKind = K.UNKNOWN_OUTCOME, state: S | None = S.NEEDS_REVIEW) -> tuple[str, str]:
    """The ids of a checkout over 42 dollars and of its case."""
    checkout_id = str((await api.create()).json()["id"])
    if state is S.COMPLETED:
        await api.sagas.sold(checkout_id)
    elif state is not None:
        await api.sagas.paid(checkout_id, state)
    mark = OpenCase(kind, "the gateway is silent", f"checkout/{checkout_id}", 4200)
    await api.sagas.open_case(checkout_id, mark)
    (case,) = await api.services.cases.open_of(checkout_id)
    return checkout_id, case.id


async def act(api: Api, case_id: str, action: str, secret: str | None = None, **body: object) -> httpx.Response:
    """POST an order as somebody who runs the service."""
    headers = bearer(secret or await api.key("operate", "read"))
    body = {"action": action, "reason": "seen in the dashboard"} | body
    return await api.stranger.post(f"/v1/cases/{case_id}/actions", json=body, headers=headers)


async def test_a_case_is_shown_with_what_may_be_ordered(api: Api) -> None:
    """Why a person has to look, what is at stake, who waits, and the actions by kind and state."""
    checkout_id, case_id = await stuck(api)
    shown = (await api.client.get(f"/v1/cases/{case_id}")).json()
    assert (shown["id"], shown["checkout"], shown["kind"]) == (case_id, checkout_id, "unknown_outcome")
    assert (shown["message"], shown["amount"], shown["currency"]) == ("the gateway is silent", 4200, "USD")
    assert (shown["subject"], shown["workflow_id"]) == (None, f"checkout/{checkout_id}")
    assert shown["actions"] == ["look_again", "mark_paid", "refund", "retry_now", "void"]
    assert (shown["closed_at"], shown["closed_how"], shown["orders"]) == (None, None, [])


@pytest.mark.parametrize("kind", sorted(CaseKind))
@pytest.mark.parametrize("state", [S.AWAITING_PAYMENT, S.NEEDS_REVIEW, S.COMPLETED])
async def test_the_actions_are_those_of_the_table(api: Api, kind: CaseKind, state: S) -> None:
    """In the listing as in the case itself; what the table does not allow is refused, naming what it does."""
    checkout_id, case_id = await stuck(api, kind, None if state is S.AWAITING_PAYMENT else state)
    possible = sorted(allowed(kind, state))
    (listed,) = (await api.client.get("/v1/cases", params={"checkout": checkout_id})).json()["data"]
    assert (listed["actions"], listed["orders"]) == (possible, None)
    secret = await api.key("operate")
    for action in sorted(set(CaseAction) - set(possible)):
        evidence = {"evidence": "pi_1"} if action is CaseAction.MARK_PAID else {}
        refused = await act(api, case_id, action, secret, **evidence)
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["allowed"]) == (409, "case_conflict", possible)
    assert api.sagas.orders == []


async def test_cases_are_listed_oldest_first(api: Api) -> None:
    """Those that are open unless asked otherwise; by kind and checkout, page by page."""
    made = [await stuck(api, kind) for kind in (K.CONTRADICTION, K.KEY_EXPIRED, K.CONTRADICTION)]
    ids = [case_id for _, case_id in made]
    for secret in [await api.key("operate") for _ in range(2)]:
        await act(api, ids[0], "refund", secret)

    async def seen(**query: str) -> list[str]:
        listed, cursor = [], None
        while True:
            page = query | {"limit": "2"} | ({"cursor": cursor} if cursor else {})
            answer = (await api.client.get("/v1/cases", params=page)).json()
            listed += [one["id"] for one in answer["data"] if one["id"] in ids]
            if (cursor := answer["next_cursor"]) is None:
                return listed

    assert await seen() == ids[1:]
    assert await seen(open="false") == ids[:1]
    assert await seen(open="all") == ids
    assert await seen(open="all", kind="contradiction") == [ids[0], ids[2]]
    assert await seen(checkout=made[2][0]) == [ids[2]]


async def test_the_order_reaches_the_workflow_with_who_and_why(api: Api) -> None:
    """`who` is the API key's id, the reason and the evidence are as given; a repeated request has one update id."""
    checkout_id, case_id = await stuck(api)
    key, secret = await api.keys.create("operator", ["operate"])
    headers = bearer(secret) | {"Idempotency-Key": secrets.token_hex(8)}
    body = {"action": "mark_paid", "reason": "seen in the dashboard", "evidence": "pi_3Q9"}
    first, second = [
        await api.stranger.post(f"/v1/cases/{case_id}/actions", json=body, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, first.json()["outcome"], first.content) == (200, "awaits_second", second.content)
    ((order, update_id),) = api.sagas.orders
    assert (order.case_id, order.action, order.reason, order.who, order.evidence) == (
        case_id,
        "mark_paid",
        "seen in the dashboard",
        key.id,
        "pi_3Q9",
    )
    assert update_id is not None
    assert headers["Idempotency-Key"] not in update_id
    assert api.sagas.calls[f"act {checkout_id}"] == 1


async def test_two_people_close_a_case(api: Api) -> None:
    """The first order awaits a second; the same by another key carries it out; the case tells of both."""
    _, case_id = await stuck(api, K.REFUND_DECLINED)
    (one, first), (two, second) = [await api.keys.create("operator", ["operate"]) for _ in range(2)]
    answers = [(await act(api, case_id, "write_off", secret)).json() for secret in (first, first, second)]
    assert [answer["outcome"] for answer in answers] == ["awaits_second", "awaits_second", "done"]
    case = answers[-1]["case"]
    assert (case["actions"], case["closed_how"]) == ([], "write_off")
    assert [(o["who"], o["first"], o["taken_on"], o["action"], o["reason"]) for o in case["orders"]] == [
        (one.id, None, False, "write_off", "seen in the dashboard"),
        (one.id, None, False, "write_off", "seen in the dashboard"),
        (two.id, one.id, True, "write_off", "seen in the dashboard"),
    ]
    late = await act(api, case_id, "refund", second)
    assert (late.status_code, late.json()["allowed"]) == (409, [])
    assert "closed: write_off" in late.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"action": "burn"}, "action"),
        ({"action": None}, "action"),
        ({"action": "mark_paid"}, "evidence"),
        ({"action": "mark_paid", "evidence": ""}, "evidence"),
        ({"action": "mark_paid", "evidence": "pi 1"}, "evidence"),
        ({"evidence": "pi_1"}, "evidence"),
        ({"who": "somebody else"}, "who"),
    ],
)
async def test_an_order_that_does_not_fit_is_named(api: Api, body: dict[str, object], field: str) -> None:
    """422 by the field at fault; nobody is told."""
    _, case_id = await stuck(api)
    answer = await act(api, case_id, str(body.pop("action", "look_again")), **body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert api.sagas.orders == []


async def test_a_reason_must_be_given(api: Api) -> None:
    """An order without one is none."""
    _, case_id = await stuck(api)
    headers = bearer(await api.key("operate"))
    answer = await api.stranger.post(f"/v1/cases/{case_id}/actions", json={"action": "void"}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "reason")


async def test_orders_take_the_scope_of_those_who_run_the_service(api: Api) -> None:
    """A shop's key may look, and not order."""
    _, case_id = await stuck(api)
    answer = await act(api, case_id, "look_again", await api.key("read", "write", "refund"))
    assert (answer.status_code, answer.json()["scope"]) == (403, "operate")


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (CommandRefusedError("refund is being carried out"), 409, "case_conflict"),
        (SagaEndedError("gone"), 409, "case_conflict"),
        (NotTakenOnError("nobody there"), 503, "worker_silent"),
        ("down", 503, "temporal_down"),
        ("silent", 202, None),
    ],
)
async def test_trouble_on_the_way_is_told(api: Api, trouble: Any, status: int, code: str | None) -> None:
    """What the workflow refuses is a conflict with its words, an outage is an outage, what goes on is 202."""
    _, case_id = await stuck(api)
    if isinstance(trouble, str):
        setattr(api.sagas, trouble, True)
    else:
        api.sagas.fault = trouble
    answer = await act(api, case_id, "refund")
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if isinstance(trouble, CommandRefusedError):
        assert "being carried out" in answer.json()["detail"]


@pytest.mark.parametrize("case_id", ["case_" + "0" * 24 + "_1", "case_x", "%00", "é"])
async def test_unknown_cases_are_not_found(api: Api, case_id: str) -> None:
    """404 for reading and ordering."""
    for answer in (await api.client.get(f"/v1/cases/{case_id}"), await act(api, case_id, "look_again")):
        assert (answer.status_code, answer.json()["code"]) == (404, "case_not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [("kind=odd", "kind"), ("open=maybe", "open"), ("checkout=x", "checkout"), ("cursor=x", "cursor"), ("y=1", "y")],
)
async def test_a_filter_that_does_not_fit_is_named(api: Api, query: str, field: str) -> None:
    """422 with the filter's name."""
    response = await api.client.get(f"/v1/cases?{query}")
    assert (response.status_code, response.json()["field"]) == (422, field)


def test_every_kind_of_case_can_be_ended() -> None:
    """The table leaves no case that nobody could ever do anything about."""
    assert all(ACTIONS[kind] for kind in CaseKind)
