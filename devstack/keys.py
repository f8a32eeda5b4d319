"""The secrets of a development stack: made once, kept in the data folder for its owner alone."""

import json
from collections.abc import Mapping
from pathlib import Path

import httpx

from devstack.errors import PartFailedError
from devstack.files import tail, write_private
from devstack.layout import Layout
from devstack.parts import PartSpec, run_to_end
from devstack.settings import new_webhook_secret, python

_SCOPES = "read,write,refund,admin"
_MAKE_KEY_SECONDS = 30.0


def webhook_secret(layout: Layout) -> str:
    """The secret that the sandbox signs its webhooks with."""
    stored = _read(layout.secrets)
    if "webhook_secret" not in stored:
        stored["webhook_secret"] = new_webhook_secret()
        write_private(layout.secrets, json.dumps(stored))
    return stored["webhook_secret"]


async def api_key(layout: Layout, api: str, environment: Mapping[str, str]) -> str:
    """A key with all scopes that the API at `api` accepts: the kept one, or a new one when the database is another."""
    stored = _read(layout.secrets)
    if "api_key" not in stored or not await _accepted(api, stored["api_key"]):
        stored["api_key"] = await _make(layout, environment)
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
