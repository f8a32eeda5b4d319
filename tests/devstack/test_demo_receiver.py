"""The demo's shop that is told of events: what it believes, what it answers, and what it finds missing."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from devstack.demo.events.receiver import Door, claim_of
from devstack.demo.events.told import EventsTold
from tests.devstack.test_demo_events import AT, books, event

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BEFORE = AT - timedelta(seconds=1)
TOLD = books(event(1, "checkout.created"), event(3, "payment.succeeded"))


def _door(*, reluctant: bool = False) -> Door:
    return Door("accounting", reluctant, secret=SECRET, since=BEFORE)


def _delivery(number: int, sequence: int, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    id_, now = f"chk_1:{number}", datetime.now(UTC)
    body = json.dumps({"id": id_, "subject": "chk_1", "sequence": f"{sequence:010}"})
    signature = Webhook(secret).sign(id_, now, body)
    return body.encode(), {
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def _all_taken(door: Door) -> Door:
    for number, sequence in ((1, 1), (3, 2)):
        assert door.take(*_delivery(number, sequence)) == 204
    return door


def test_what_is_signed_is_taken() -> None:
    """Every event once, in any order, is no trouble."""
    door = _door()
    assert door.take(*_delivery(3, 2)) == door.take(*_delivery(1, 1)) == 204
    assert not claim_of(door, TOLD).trouble


@pytest.mark.parametrize("change", ["body", "secret", "id"])
def test_what_is_not_signed_by_us_is_refused(change: str) -> None:
    """Another body, another secret, another id: it answers 400, and the claim is broken."""
    door = _all_taken(_door())
    body, headers = _delivery(1, 1, "whsec_" + "A" * 32 if change == "secret" else SECRET)
    if change == "body":
        body = body.replace(b"chk_1", b"chk_2")
    if change == "id":
        headers["webhook-id"] = "chk_1:2"
    assert door.take(body, headers) == 400
    assert "not signed by us" in claim_of(door, TOLD).trouble[0]


def test_a_reluctant_door_takes_the_second_try() -> None:
    """503 first, then 204; an event that came only once was not taken."""
    door = _door(reluctant=True)
    for number, sequence in ((1, 1), (3, 2)):
        assert [door.take(*_delivery(number, sequence)) for _ in range(2)] == [503, 204]
    assert not claim_of(door, TOLD).trouble
    door = _door(reluctant=True)
    door.take(*_delivery(1, 1))
    assert set(claim_of(door, TOLD).trouble) >= {"chk_1:1 was never taken", "chk_1:3 was never taken"}


def test_a_wrong_place_is_trouble() -> None:
    """The sequence that a delivery tells must be the event's place on the books."""
    door = _door()
    door.take(*_delivery(1, 1))
    door.take(*_delivery(3, 3))
    assert claim_of(door, TOLD).trouble == ("chk_1 came as [1, 3], on the books are [1, 2]",)


def test_only_what_began_afterwards_is_due() -> None:
    """Of a checkout that was open before the door, the first events are nobody's fault; no event at all is."""
    earlier = replace(TOLD.events[0], created_at=BEFORE - timedelta(seconds=5))
    assert _door().due(EventsTold((earlier, TOLD.events[1]), {})) == {}
    assert _door().due(TOLD) == {"chk_1:1": ("chk_1", 1), "chk_1:3": ("chk_1", 2)}
    assert claim_of(_door(), EventsTold((), {})).trouble == ("nothing was due, so nothing is shown",)
