"""Disputes over HTTP: listed, answered while that is possible, and what is said stays in the database."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.sagas import CommandFailedError, CommandRefusedError, NotTakenOnError
from domain.dispute import DisputeEvidence, DisputeSnapshot, DisputeState
from domain.money import Money
from gateways.contract import Verb
from ledger.contract import DisputeRecord

from .conftest import Api, bearer, serving
from .several import BROAD, NARROW, Named, several

D = DisputeState
BOTH = {Verb.SUBMIT_EVIDENCE, Verb.ACCEPT_DISPUTE}
EVIDENCE = {"explanation": "Handed over on 3 March and signed for."}


@pytest.fixture
async def able(database_url: str, tmp_path: Any) -> Any:
    """An API with a gateway that takes answers from programs, and one that does not."""
    async with several(database_url, tmp_path) as made:
        yield made


async def answer(api: Api, dispute: DisputeRecord, what: str, **body: object) -> httpx.Response:
    """POST an answer."""
    return await api.client.post(f"/v1/disputes/{dispute.id}/{what}", json=body)


async def at(made: Any, narrow: bool = False, **changes: Any) -> DisputeRecord:
    """A sale over 42 euros at one of its gateways that its customer disputes."""
    return await disputed(made.api, made.narrow if narrow else made.broad, **changes)


async def disputed(api: Api, gateway: str, **changes: Any) -> DisputeRecord:
    """The same at this gateway of the API."""
    checkout_id = str((await api.create(gateway=gateway, currency="EUR")).json()["id"])
    await api.sagas.sold(checkout_id)
    seen: dict[str, Any] = {
        "gateway": gateway,
        "dispute_id": f"du_{checkout_id}",
        "payment_id": f"pi_{checkout_id}",
        "reference": None,
        "amount": Money(4200, "EUR"),
        "withdrawn": Money(4200, "EUR"),
        "state": D.NEEDS_RESPONSE,
        "reason": "product_not_received",
        "live": False,
        "respond_by": datetime.now(UTC) + timedelta(days=7),
    }
    return await api.sagas.disputed(DisputeSnapshot(**(seen | changes)), checkout_id)


async def test_a_dispute_is_shown(able: Any) -> None:
    """Ours and the gateway's id, what is disputed and withdrawn, until when an answer helps, and what may be said."""
    record = await at(able)
    shown = (await able.api.client.get(f"/v1/disputes/{record.id}")).json()
    assert shown["id"] == record.id
    assert (shown["checkout"], shown["gateway"], shown["gateway_dispute_id"], shown["payment_id"]) == (
        record.checkout_id,
        able.broad,
        f"du_{record.checkout_id}",
        f"pi_{record.checkout_id}",
    )
    assert (shown["state"], shown["amount"], shown["amount_withdrawn"], shown["currency"], shown["reason"]) == (
        "needs_response",
        4200,
        4200,
        "EUR",
        "product_not_received",
    )
    assert datetime.fromisoformat(shown["respond_by"]) == record.snapshot.respond_by
    assert (shown["answered"], shown["answered_at"], shown["actions"]) == (None, None, ["evidence", "accept"])


async def test_disputes_are_listed(able: Any) -> None:
    """Newest first, by state, gateway, checkout, and whether they are open; page by page."""
    records = [await at(able), await at(able, narrow=True), await at(able, state=D.LOST)]
    ids = [record.id for record in records]

    async def seen(**query: str) -> list[str]:
        data = (await able.api.client.get("/v1/disputes", params=query | {"limit": "200"})).json()["data"]
        return [one["id"] for one in data if one["id"] in ids]

    assert await seen() == ids[::-1]
    assert await seen(gateway=able.narrow) == [ids[1]]
    assert await seen(state="lost") == [ids[2]]
    assert await seen(open="true") == [ids[1], ids[0]]
    assert await seen(open="false") == [ids[2]]
    assert await seen(checkout=records[0].checkout_id) == [ids[0]]
    paged, cursor = [], None
    while True:
        query = {"limit": "1", "gateway": able.broad} | ({"cursor": cursor} if cursor else {})
        page = (await able.api.client.get("/v1/disputes", params=query)).json()
        paged += [one["id"] for one in page["data"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert paged == [ids[2], ids[0]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=odd", "state"),
        ("open=maybe", "open"),
        ("checkout=chk_1", "checkout"),
        ("cursor=x", "cursor"),
        ("x=1", "x"),
    ],
)
async def test_a_filter_that_does_not_fit_is_named(api: Api, query: str, field: str) -> None:
    """422 with the filter's name."""
    response = await api.client.get(f"/v1/disputes?{query}")
    assert (response.status_code, response.json()["field"]) == (422, field)


async def test_evidence_goes_to_the_database_and_its_id_to_the_workflow(able: Any) -> None:
    """What is said may name people: the workflow hears an id and who says it; the view does not repeat it."""
    record = await at(able)
    said = EVIDENCE | {"customer_communication": "Ada wrote: it has come.\nThanks!", "tracking_number": "JD0002"}
    response = await answer(able.api, record, "evidence", **said)
    assert (response.status_code, response.json()["state"], response.json()["actions"]) == (200, "under_review", [])
    ((_, evidence_id, who),) = able.api.sagas.answers
    caller = await able.api.services.authenticator.authenticate(able.api.secret)
    assert who == caller.id
    assert await able.api.services.disputes.evidence(evidence_id) == DisputeEvidence(**said)
    assert "Ada" not in response.text


async def test_a_dispute_can_be_accepted(able: Any) -> None:
    """It takes the scope of refunds, since it gives money away; after it nothing can be answered."""
    record = await at(able)
    headers = bearer(await able.api.key("read", "write"))
    refused = await able.api.stranger.post(f"/v1/disputes/{record.id}/accept", headers=headers)
    assert (refused.status_code, refused.json()["scope"]) == (403, "refund")
    response = await able.api.client.post(f"/v1/disputes/{record.id}/accept")
    assert (response.status_code, response.json()["state"], response.json()["actions"]) == (200, "lost", [])


@pytest.mark.parametrize("what", ["evidence", "accept"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": D.WON}, "decided: won"),
        ({"state": D.LOST}, "decided: lost"),
        ({"state": D.UNDER_REVIEW}, "was answered"),
        ({"respond_by": datetime.now(UTC) - timedelta(seconds=1)}, "possible until"),
    ],
)
async def test_what_is_too_late_is_a_conflict(able: Any, what: str, changes: dict[str, Any], words: str) -> None:
    """409 with why, and nothing is kept or said."""
    record = await at(able, **changes)
    response = await answer(able.api, record, what, **(EVIDENCE if what == "evidence" else {}))
    problem = response.json()
    assert (response.status_code, problem["code"], problem["allowed"]) == (409, "dispute_conflict", [])
    assert words in problem["detail"]
    assert able.api.sagas.answers == []
    assert await able.api.services.disputes.evidence_of(record.id) == ()


@pytest.mark.parametrize("what", ["evidence", "accept"])
async def test_a_gateway_that_takes_no_answers_says_so(able: Any, what: str) -> None:
    """By its capabilities: the answer has to be given in the gateway's own pages."""
    record = await at(able, narrow=True)
    response = await answer(able.api, record, what, **(EVIDENCE if what == "evidence" else {}))
    assert (response.status_code, response.json()["code"]) == (409, "dispute_conflict")
    assert able.narrow in response.json()["detail"]


async def test_a_gateway_may_take_one_answer_only(database_url: str) -> None:
    """`actions` names what it takes, and so does the conflict."""
    name = f"accepts_{secrets.token_hex(3)}"
    can = replace(BROAD, answers_disputes=frozenset({Verb.ACCEPT_DISPUTE}))
    async with serving(database_url, gateways={name: Named(name, can)}) as api:
        record = await disputed(api, gateway=name)
        response = await answer(api, record, "evidence", **EVIDENCE)
        assert (response.status_code, response.json()["allowed"]) == (409, ["accept"])


async def test_an_inquiry_can_be_answered(able: Any) -> None:
    """Before any money is withdrawn."""
    record = await at(able, state=D.INQUIRY, withdrawn=Money(0, "EUR"))
    assert (await answer(able.api, record, "evidence", **EVIDENCE)).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "explanation"),
        ({"explanation": ""}, "explanation"),
        ({"explanation": "  \n"}, "explanation"),
        ({"explanation": "x" * 2001}, "explanation"),
        ({"explanation": 5}, "explanation"),
        (EVIDENCE | {"tracking_number": "a\nb"}, "tracking_number"),
        (EVIDENCE | {"tracking_carrier": "x" * 101}, "tracking_carrier"),
        (EVIDENCE | {"refund_policy": "x" * 20_001}, "refund_policy"),
        (EVIDENCE | {"file": "x"}, "file"),
    ],
)
async def test_evidence_that_does_not_fit_is_named(able: Any, body: dict[str, object], field: str) -> None:
    """422 by the field at fault, and nothing is kept."""
    record = await at(able)
    response = await answer(able.api, record, "evidence", **body)
    assert (response.status_code, response.json()["field"]) == (422, field)
    assert await able.api.services.disputes.evidence_of(record.id) == ()


@pytest.mark.parametrize(
    ("trouble", "status", "code"),
    [
        (CommandRefusedError("it was decided meanwhile"), 409, "dispute_conflict"),
        (CommandFailedError("evidence_refused", "the gateway wants a file"), 409, "answer_declined"),
        (NotTakenOnError("nobody there"), 503, "worker_silent"),
        ("down", 503, "temporal_down"),
        ("silent", 202, None),
    ],
)
async def test_trouble_on_the_way_is_told(able: Any, trouble: Any, status: int, code: str | None) -> None:
    """What the workflow or the gateway refuses is a conflict, an outage is an outage, and what goes on is 202."""
    record = await at(able)
    if isinstance(trouble, str):
        setattr(able.api.sagas, trouble, True)
    else:
        able.api.sagas.fault = trouble
    response = await answer(able.api, record, "accept")
    assert (response.status_code, response.json().get("code")) == (status, code)


async def test_the_same_answer_twice_is_given_once(able: Any) -> None:
    """With a key the second is answered with the first's bytes."""
    record, headers = await at(able), {"Idempotency-Key": secrets.token_hex(8)}
    path = f"/v1/disputes/{record.id}/evidence"
    first, second = [await able.api.client.post(path, json=EVIDENCE, headers=headers) for _ in range(2)]
    assert (first.status_code, first.content) == (200, second.content)
    assert len(able.api.sagas.answers) == 1


@pytest.mark.parametrize("dispute_id", ["dsp_" + "0" * 24, "dsp_x", "%00", "é"])
async def test_unknown_disputes_are_not_found(api: Api, dispute_id: str) -> None:
    """404 for reading and answering."""
    for response in (
        await api.client.get(f"/v1/disputes/{dispute_id}"),
        await api.client.post(f"/v1/disputes/{dispute_id}/evidence", json=EVIDENCE),
        await api.client.post(f"/v1/disputes/{dispute_id}/accept"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "dispute_not_found")


async def test_a_dispute_stands_on_the_timeline_and_in_the_postings(able: Any) -> None:
    """Its opening and what was withdrawn are rows and postings of its checkout, by the gateway's id."""
    record = await at(able)
    path = f"/v1/checkouts/{record.checkout_id}"
    rows = (await able.api.client.get(f"{path}/timeline")).json()["data"]
    (told,) = (row["details"] for row in rows if row["details"].get("dispute_id") == record.id)
    assert (told["state"], told["withdrawn"]) == ("needs_response", 4200)
    postings = (await able.api.client.get(f"{path}/postings")).json()["data"]
    assert {p["kind"] for p in postings if p["reference"] == f"du_{record.checkout_id}"} == {"dispute_withdrawn"}


def test_the_gateways_of_this_test_differ_as_it_says() -> None:
    """One takes both answers from a program, the other none."""
    assert (BROAD.answers_disputes, NARROW.answers_disputes) == (frozenset(BOTH), frozenset())
