"""API keys for as long as a run of the demo needs them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ledger.engine import create_engine
from ledger.keys import ApiKeys


@asynccontextmanager
async def api_key(database_url: str, name: str, *scopes: str) -> AsyncIterator[str]:
    """The secret of a new key, which is good for nothing afterwards."""
    engine = create_engine(database_url, pool_size=1)
    keys = ApiKeys(engine)
    try:
        key, secret = await keys.create(name, scopes)
        try:
            yield secret
        finally:
            await keys.revoke(key.id)
    finally:
        await engine.dispose()
