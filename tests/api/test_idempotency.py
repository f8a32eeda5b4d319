"""The same request with the same key is done once and answered with the same bytes."""

import asyncio
import hashlib
import json
import secrets

import pytest

from api.once import WORK_SECONDS
from ledger.contract import StoredAnswer
from ledger.engine import STATEMENT_SECONDS
from ledger.idempotency import ABANDONED_AFTER

from .conftest import Api, order


def keyed() -> dict[str, str]:
    """Headers with a new key and the content type of JSON."""
    return {"Idempotency-Key": secrets.token_hex(8), "Content-Type": "application/json"}


async def test_a_repeated_request_gets_the_same_bytes(api: Api) -> None:
    """A replay is byte-identical, says that it is one, and does nothing, although the checkout has moved on."""
    headers, body = keyed(), json.dumps(order())
    first = await api.client.post("/v1/checkouts", content=body, headers=headers)
    await api.client.post(f"/v1/checkouts/{first.json()['id']}/cancel")
    second = await api.client.post("/v1/checkouts", content=body, headers=headers)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers["location"] == second.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"


async def test_an_error_of_the_work_is_replayed(api: Api) -> None:
    """A conflict is an answer too: kept, and given again when it no longer were one."""
    created = (await api.create(confirmation={"required": True})).json()
    headers, path = keyed(), f"/v1/checkouts/{created['id']}/confirm"
    first = await api.client.post(path, headers=headers)
    await api.sagas.paid(created["id"])
    second = await api.client.post(path, headers=headers)
    assert (first.status_code, second.status_code) == (409, 409)
    assert first.content == second.content
    assert second.headers["content-type"] == "application/problem+json"


async def test_another_body_is_refused(api: Api) -> None:
    """The key belongs to its first request: another body, or another address, is 422."""
    headers, body = keyed(), order()
    created = (await api.client.post("/v1/checkouts", json=body, headers=headers)).json()
    for path, other in (
        ("/v1/checkouts", body | {"amount": 4201}),
        (f"/v1/checkouts/{created['id']}/cancel", {}),
    ):
        response = await api.client.post(path, json=other, headers=headers)
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_request_in_flight_is_not_joined(api: Api) -> None:
    """While the first is being worked on the second is told to come again."""
    api.sagas.pause = 2
    headers, body = keyed(), json.dumps(order())
    first = asyncio.create_task(api.client.post("/v1/checkouts", content=body, headers=headers))
    await asyncio.sleep(0.5)
    second = await api.client.post("/v1/checkouts", content=body, headers=headers)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    assert int(second.headers["retry-after"]) > 0
    assert (await first).status_code == 201


async def test_twenty_at_once_make_one_checkout(api: Api) -> None:
    """Equal requests with one key, repeated until answered, all end with the same bytes, from one opening."""
    headers, body = keyed(), json.dumps(order())

    async def until_answered() -> bytes:
        while True:
            response = await api.client.post("/v1/checkouts", content=body, headers=headers)
            if response.status_code != 409:
                assert response.status_code == 201
                return response.content
            await asyncio.sleep(0.05)

    answers = await asyncio.gather(*(until_answered() for _ in range(20)))
    assert len(set(answers)) == 1
    assert api.sagas.calls[f"open {json.loads(answers[0])['id']}"] == 1


async def test_what_never_began_is_not_kept(api: Api) -> None:
    """A request that did not fit leaves its key free for the one that does."""
    headers = keyed()
    assert (await api.client.post("/v1/checkouts", json=order(amount=0), headers=headers)).status_code == 422
    assert (await api.client.post("/v1/checkouts", json=order(), headers=headers)).status_code == 201


async def test_an_outage_releases_the_key(api: Api) -> None:
    """A 503 is not kept: the same request with the same key goes through once the part is back."""
    created = (await api.create()).json()
    headers, path = keyed(), f"/v1/checkouts/{created['id']}/cancel"
    api.sagas.down = True
    assert (await api.client.post(path, headers=headers)).status_code == 503
    api.sagas.down = False
    response = await api.client.post(path, headers=headers)
    assert (response.status_code, response.json()["state"]) == (200, "canceled")
    assert "idempotent-replayed" not in response.headers


async def test_a_work_without_end_is_ended(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work ends before its key could be taken over: 503, the key is free, and the order is found again."""
    headers, body = keyed(), order()
    api.sagas.pause = 20
    with monkeypatch.context() as impatient:
        impatient.setattr("api.once.WORK_SECONDS", 0.3)
        slow = await api.client.post("/v1/checkouts", json=body, headers=headers)
    assert (slow.status_code, slow.json()["code"]) == (503, "too_slow")
    assert int(slow.headers["retry-after"]) > 0
    api.sagas.reset()
    response = await api.client.post("/v1/checkouts", json=body, headers=headers)
    assert (response.status_code, response.json()["state"]) == (201, "awaiting_payment")


def test_work_and_its_end_fit_into_the_life_of_a_key() -> None:
    """Two requests that both think a key theirs could keep one's answer for the other: keeping it is in time too."""
    pool_wait, connecting = 10, 10
    keeping = pool_wait + connecting + STATEMENT_SECONDS
    assert WORK_SECONDS + keeping < ABANDONED_AFTER.total_seconds()


async def test_an_answer_of_an_older_version_is_replayed(api: Api) -> None:
    """A stored answer is given again as it is, also when checkouts have got more members since."""
    body, headers = json.dumps(order()).encode(), keyed()
    caller = await api.services.authenticator.authenticate(api.secret)
    assert caller is not None
    fingerprint = hashlib.sha256(b"\x00".join((b"POST", b"/v1/checkouts", body))).hexdigest()
    old = StoredAnswer(201, b'{"id":"chk_old"}', "application/json")
    assert await api.services.idempotency.begin(caller.id, headers["Idempotency-Key"], fingerprint) is None
    await api.services.idempotency.finish(caller.id, headers["Idempotency-Key"], old)
    response = await api.client.post("/v1/checkouts", content=body, headers=headers)
    assert (response.status_code, response.content) == (201, old.body)
    assert response.headers["location"] == "/v1/checkouts/chk_old"


async def test_a_bug_releases_the_key_and_tells_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """An unforeseen error is 500 with a request id that the log has, without the error's text; the key is free."""
    headers, body = keyed(), order()
    api.sagas.fault = RuntimeError("ada@example.com bought a secret")
    response = await api.client.post("/v1/checkouts", json=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert response.json()["request_id"] in caplog.text
    assert "ada@example.com" not in response.text + caplog.text
    api.sagas.fault = None
    assert (await api.client.post("/v1/checkouts", json=body, headers=headers)).status_code == 201


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"\xc3\xa9", b"a\tb", b"x" * 65_536])
async def test_a_key_that_does_not_fit(api: Api, key: bytes) -> None:
    """A key is 1 to 255 printable ASCII characters."""
    response = await api.client.post("/v1/checkouts", json=order(), headers=[(b"Idempotency-Key", key)])
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_invalid")


async def test_two_keys_are_none(api: Api) -> None:
    """A request that names two keys means neither."""
    response = await api.client.post("/v1/checkouts", json=order(), headers=[("Idempotency-Key", "a")] * 2)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_invalid")
