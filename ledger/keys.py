"""API keys: a random secret shown once, of which only a hash is kept.

The hash is plain SHA-256: slow hashes protect secrets that people think up, and nobody can try 2**256 random ones.
It is looked up by index, so no comparison of ours takes longer for a better guess.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.contract import ApiKey
from ledger.engine import statement_by_statement
from ledger.failures import translated
from ledger.tables import api_keys

_SHOWN = (api_keys.c.id, api_keys.c.name, api_keys.c.scopes, api_keys.c.created_at, api_keys.c.revoked_at)


class ApiKeys:
    """Every method may raise StoreUnavailableError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = statement_by_statement(engine)

    async def create(self, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
        """A new key and its secret, which cannot be had again."""
        secret = f"psk_{secrets.token_urlsafe(32)}"
        new = insert(api_keys).values(
            id=f"key_{secrets.token_hex(8)}", name=name, secret_hash=_hash(secret), scopes=sorted(set(scopes))
        )
        with translated():
            async with self._engine.connect() as connection:
                return _key_of((await connection.execute(new.returning(*_SHOWN))).one()), secret

    async def authenticate(self, secret: str) -> ApiKey | None:
        """The key of this secret, None when there is no such or it is revoked."""
        query = select(*_SHOWN).where(api_keys.c.secret_hash == _hash(secret), api_keys.c.revoked_at.is_(None))
        with translated():
            async with self._engine.connect() as connection:
                row = (await connection.execute(query)).one_or_none()
        return None if row is None else _key_of(row)

    async def revoke(self, key_id: str) -> bool:
        """Whether the key was there and valid; from now on it is not."""
        k = api_keys.c
        change = update(api_keys).where(k.id == key_id, k.revoked_at.is_(None)).values(revoked_at=func.now())
        with translated():
            async with self._engine.connect() as connection:
                return (await connection.execute(change.returning(k.id))).one_or_none() is not None

    async def list(self) -> tuple[ApiKey, ...]:
        """All keys, the revoked ones too, oldest first."""
        with translated():
            async with self._engine.connect() as connection:
                rows = await connection.execute(select(*_SHOWN).order_by(api_keys.c.created_at, api_keys.c.id))
                return tuple(_key_of(row) for row in rows)


def _hash(secret: str) -> str:
    # A header may hold what is no valid Unicode; it must not match anything, and not fail either.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _key_of(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(row.id, row.name, frozenset(row.scopes), row.created_at, row.revoked_at)
