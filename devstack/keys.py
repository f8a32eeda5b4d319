"""The secrets of a development stack: made once, kept in the data folder for its owner alone."""

import json
from pathlib import Path

from api.keys import SCOPES
from devstack.errors import StackError
from devstack.files import write_private
from devstack.gateways import new_secrets
from devstack.layout import Layout
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from ledger.keys import ApiKeys

DEVELOPMENT = "development"
"""The key of the person at this machine, who may do everything."""
ALL_SCOPES = ",".join(SCOPES)


def webhook_secrets(layout: Layout) -> dict[str, str]:
    """What the sandbox's gateways prove their webhooks by, by gateway."""
    stored = _read(layout.secrets)
    kept = {name: stored[key] for name in new_secrets() if (key := f"{name}_webhook_secret") in stored}
    made = new_secrets() | kept
    if made != kept:
        write_private(layout.secrets, json.dumps(stored | {f"{n}_webhook_secret": s for n, s in made.items()}))
    return made


async def api_key(layout: Layout, database_url: str, whose: str = DEVELOPMENT, scopes: str = ALL_SCOPES) -> str:
    """A key with exactly these scopes: the kept one, or a new one where the database does not know that."""
    name = f"{whose}_api_key"
    kept = _read(layout.secrets).get(name)
    engine = create_engine(database_url, pool_size=1)
    try:
        keys = ApiKeys(engine)
        if kept is not None and (known := await keys.authenticate(kept)) and known.scopes == set(scopes.split(",")):
            return kept
        _, made = await keys.create(whose, scopes.split(","))
    except StoreUnavailableError as error:
        raise StackError(f"no API key could be made: {error}") from None
    finally:
        await engine.dispose()
    # Read again: what was written meanwhile stays.
    write_private(layout.secrets, json.dumps(_read(layout.secrets) | {name: made}))
    return made


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
