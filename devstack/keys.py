"""The secrets of a development stack: made once, kept in the data folder for its owner alone."""

import json
from collections.abc import Mapping
from pathlib import Path

import httpx

from devstack.errors import PartFailedError
from devstack.files import tail, write_private
from devstack.gateways import new_secrets
from devstack.layout import Layout
from devstack.parts import PartSpec, run_to_end
from devstack.settings import python

_SCOPES = "read,write,refund,operate,admin"
_MAKE_KEY_SECONDS = 30.0


def webhook_secrets(layout: Layout) -> dict[str, str]:
    """What the sandbox's gateways prove their webhooks by, by gateway."""
    stored = _read(layout.secrets)
    kept = {name: stored[key] for name in new_secrets() if (key := f"{name}_webhook_secret") in stored}
    made = new_secrets() | kept
    if made != kept:
        write_private(layout.secrets, json.dumps(stored | {f"{n}_webhook_secret": s for n, s in made.items()}))
    return made


async def api_key(layout: Layout, api: str, environment: Mapping[str, str]) -> str:
    """A key with all scopes that the API at `api` accepts: the kept one, or a new one when the database is another.

    A kept one of before there were as many scopes is replaced as well.
    """
    stored = _read(layout.secrets)
    known = stored.get("api_key_scopes") == _SCOPES and "api_key" in stored
    if not known or not await _accepted(api, stored["api_key"]):
        stored["api_key"] = await _make(layout, environment)
        stored["api_key_scopes"] = _SCOPES
        write_private(layout.secrets, json.dumps(stored))
    return stored["api_key"]


async def _accepted(api: str, key: str) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"{api}/v1/checkouts?limit=1", headers={"Authorization": f"Bearer {key}"})
    return answer.status_code == httpx.codes.OK


async def _make(layout: Layout, environment: Mapping[str, str]) -> str:
    # What the command prints holds the secret: this log does not stay.
    log = layout.log("api-key")
    log.unlink(missing_ok=True)
    command = python("-m", "api.keys", "create", "--name", "development", "--scopes", _SCOPES, "--json")
    try:
        await run_to_end(PartSpec("api-key", command, environment, log), _MAKE_KEY_SECONDS)
        return _secret_in(tail(log))
    finally:
        log.unlink(missing_ok=True)


def _secret_in(output: str) -> str:
    """The secret of the JSON object that is the last line; warnings may stand before it."""
    try:
        secret = json.loads(output.splitlines()[-1])["secret"]
    except (IndexError, ValueError, KeyError, TypeError):
        raise PartFailedError("api-key", "printed no key", "") from None
    return str(secret)


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
