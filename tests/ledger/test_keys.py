"""API keys: shown once, stored as a hash, revocable."""

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.keys import ApiKeys


@pytest.fixture(scope="session")
def keys(engine: AsyncEngine) -> ApiKeys:
    """The store on the shared database."""
    return ApiKeys(engine)


async def test_a_secret_opens_its_own_key(keys: ApiKeys) -> None:
    """Name and scopes come back; each secret is long, random and its own."""
    first, secret = await keys.create("shop", ["write", "read", "read"])
    second, other = await keys.create("shop", [])
    assert secret.startswith("psk_")
    assert len(secret) >= 47
    assert (first.name, first.scopes, first.revoked_at) == ("shop", frozenset({"read", "write"}), None)
    assert await keys.authenticate(secret) == first
    assert await keys.authenticate(other) == second


async def test_a_wrong_secret_opens_nothing(keys: ApiKeys) -> None:
    """Cut, changed, empty, another key's id or no valid text at all: no key and no error."""
    key, secret = await keys.create("shop", ["read"])
    for wrong in (secret[:-1], secret + "x", secret.upper(), "", key.id, "\0", "\ud800", "psk_"):
        assert await keys.authenticate(wrong) is None


async def test_a_revoked_key_opens_nothing(keys: ApiKeys) -> None:
    """Revoking works once, at once, and leaves other keys alone; the key stays listed."""
    key, secret = await keys.create("shop", ["read"])
    kept, kept_secret = await keys.create("shop", ["read"])
    assert await keys.revoke(key.id)
    assert not await keys.revoke(key.id)
    assert not await keys.revoke("key_none")
    assert await keys.authenticate(secret) is None
    assert await keys.authenticate(kept_secret) == kept
    listed = {each.id: each for each in await keys.list()}
    assert listed[kept.id] == kept
    assert listed[key.id].revoked_at is not None


async def test_the_secret_is_not_stored(keys: ApiKeys, owner: asyncpg.Connection) -> None:
    """Nothing in the table holds the secret or a part of it."""
    key, secret = await keys.create("shop", ["read"])
    row = await owner.fetchval("SELECT to_jsonb(k)::text FROM api_keys k WHERE id = $1", key.id)
    assert secret.removeprefix("psk_")[:12] not in row
