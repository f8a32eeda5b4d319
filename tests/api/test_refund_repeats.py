"""A refund that is asked for again with its key is the same refund, also when nobody remembers having answered."""

import secrets

import pytest
from sqlalchemy import delete

from ledger.tables import idempotency_keys

from .conftest import Api, bearer
from .test_refunds import listed, refund, sold


async def test_a_repeated_request_is_one_refund(api: Api) -> None:
    """The same key is answered with the same bytes, and two keys are two refunds of the same amount."""
    checkout_id, keys = await sold(api), [secrets.token_hex(8) for _ in range(2)]
    answers = [await refund(api, checkout_id, key, amount=1000) for key in (keys[0], keys[0], keys[1])]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["id"] != answers[2].json()["id"]
    assert len((await listed(api, checkout_id))["data"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [{"amount": 1000}, {}])
async def test_a_repeated_request_is_one_refund_also_when_its_answer_was_lost(
    api: Api, body: dict[str, object]
) -> None:
    """The process died after reserving and before answering: the same key finds the same refund."""
    checkout_id, key = await sold(api), secrets.token_hex(8)
    first = (await refund(api, checkout_id, key, **body)).json()
    await forget(api, key)
    again = await refund(api, checkout_id, key, **body)
    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert len((await listed(api, checkout_id))["data"]) == 1  # type: ignore[arg-type]
    assert api.sagas.calls[f"refund {checkout_id}"] == 1


async def test_a_key_of_another_refund_is_refused_long_after(api: Api) -> None:
    """Also when the stored answer has gone with time, a key stands for the refund that it once made."""
    checkout_id, key = await sold(api), secrets.token_hex(8)
    await refund(api, checkout_id, key, amount=1000)
    await forget(api, key)
    answer = await refund(api, checkout_id, key, amount=1001)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await listed(api, checkout_id))["data"]) == 1  # type: ignore[arg-type]


async def forget(api: Api, key: str) -> None:
    """The answer under this key was never kept."""
    async with api.services.idempotency._engine.connect() as connection:
        await connection.execute(delete(idempotency_keys).where(idempotency_keys.c.key == key))


async def test_the_same_key_of_two_callers_is_two_refunds(api: Api) -> None:
    """Keys are told apart by API key."""
    checkout_id, key = await sold(api), secrets.token_hex(8)
    first = await refund(api, checkout_id, key, amount=1000)
    other = bearer(await api.key("refund")) | {"Idempotency-Key": key}
    second = await api.stranger.post(f"/v1/checkouts/{checkout_id}/refunds", json={"amount": 1000}, headers=other)
    assert (second.status_code, second.json()["id"] == first.json()["id"]) == (201, False)
