"""Idempotency keys: one request works, its repeats wait or get the same bytes, others are refused."""

import asyncio
import secrets
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.contract import KeyInUseError, KeyReusedError, StoredAnswer
from ledger.idempotency import IdempotencyKeys

ANSWER = StoredAnswer(409, b'{"caf\xc3\xa9": 1}\x00\xff', "application/problem+json")


@pytest.fixture(scope="session")
def keys(engine: AsyncEngine) -> IdempotencyKeys:
    """The store on the shared database."""
    return IdempotencyKeys(engine)


@pytest.fixture
def key() -> str:
    """A key nobody has used."""
    return secrets.token_hex(8)


async def test_the_same_request_gets_the_same_bytes(keys: IdempotencyKeys, key: str) -> None:
    """Status, body and content type are given again exactly, and the first answer stands."""
    assert await keys.begin("key_a", key, "print") is None
    await keys.finish("key_a", key, ANSWER)
    await keys.finish("key_a", key, StoredAnswer(200, b"other", "text/plain"))
    assert await keys.begin("key_a", key, "print") == ANSWER


async def test_a_key_is_in_use_while_it_works(keys: IdempotencyKeys, key: str) -> None:
    """Of twenty simultaneous requests one goes ahead and the others are told to wait."""
    results = await asyncio.gather(*(keys.begin("key_a", key, "p") for _ in range(20)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, KeyInUseError) for result in results) == 19


async def test_another_request_is_refused(keys: IdempotencyKeys, key: str) -> None:
    """Another fingerprint is refused, in flight and after; another caller's same key is another key."""
    await keys.begin("key_a", key, "print")
    with pytest.raises(KeyReusedError):
        await keys.begin("key_a", key, "other")
    await keys.finish("key_a", key, ANSWER)
    with pytest.raises(KeyReusedError):
        await keys.begin("key_a", key, "other")
    assert await keys.begin("key_b", key, "other") is None


async def test_an_abandoned_key_is_free_again(keys: IdempotencyKeys, key: str) -> None:
    """Work that did not start leaves no trace; a finished key cannot be abandoned."""
    await keys.begin("key_a", key, "print")
    await keys.abandon("key_a", key)
    assert await keys.begin("key_a", key, "other") is None
    await keys.finish("key_a", key, ANSWER)
    await keys.abandon("key_a", key)
    assert await keys.begin("key_a", key, "other") == ANSWER


async def test_a_dead_process_holds_no_key(keys: IdempotencyKeys, key: str, owner: asyncpg.Connection) -> None:
    """A key in flight for over a minute is taken over, by one, with the same request only."""
    await keys.begin("key_a", key, "print")
    await owner.execute("UPDATE idempotency_keys SET started_at = now() - interval '59 s' WHERE key = $1", key)
    with pytest.raises(KeyInUseError):
        await keys.begin("key_a", key, "print")
    await owner.execute("UPDATE idempotency_keys SET started_at = now() - interval '61 s' WHERE key = $1", key)
    with pytest.raises(KeyReusedError):
        await keys.begin("key_a", key, "other")
    results = await asyncio.gather(*(keys.begin("key_a", key, "print") for _ in range(5)), return_exceptions=True)
    assert results.count(None) == 1
    assert sum(isinstance(result, KeyInUseError) for result in results) == 4


async def test_old_keys_are_forgotten(keys: IdempotencyKeys, key: str, owner: asyncpg.Connection) -> None:
    """After thirty days the same request is a new one; a day before that it still gets its answer."""
    old, young = key, f"{key}-young"
    for one, age in ((old, "31 days"), (young, "29 days")):
        await keys.begin("key_a", one, "print")
        await keys.finish("key_a", one, ANSWER)
        await owner.execute(
            "UPDATE idempotency_keys SET started_at = now() - $2::text::interval WHERE key = $1", one, age
        )
    assert await keys.prune(timedelta(days=30)) >= 1
    assert await keys.begin("key_a", young, "print") == ANSWER
    assert await keys.begin("key_a", old, "other") is None
