"""API keys by hand: `python -m api.keys create --name shop --scopes read,write`, `list`, `revoke ID`.

The secret is shown once, when the key is made; the database has its hash only.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from config.environment import SettingsError
from config.settings import DatabaseSettings
from domain.errors import BooksError
from ledger.contract import ApiKey, StoreUnavailableError
from ledger.engine import create_engine
from ledger.keys import ApiKeys

SCOPES = ("read", "write", "refund", "customers", "operate", "admin")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. 1 when it cannot be done, 2 when the command line or environment is wrong."""
    chosen = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(chosen, DatabaseSettings.read().database_url))
    except SettingsError as error:
        _complain(str(error))
        return 2
    except (StoreUnavailableError, BooksError) as error:
        _complain(str(error))
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api.keys", description="Make, list and revoke API keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key and show its secret once")
    create.add_argument("--name", required=True, type=_name, help="who uses it")
    create.add_argument("--scopes", required=True, type=_scopes, help="of " + ",".join(SCOPES))
    listing = commands.add_parser("list", help="show all keys, revoked ones too")
    for command in (create, listing):
        command.add_argument("--json", action="store_true", help="answer as JSON")
    commands.add_parser("revoke", help="end a key; felt within five seconds").add_argument("id")
    return parser


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > 100:
        raise argparse.ArgumentTypeError("must be 1 to 100 printable characters")
    return text.strip()


def _scopes(text: str) -> frozenset[str]:
    scopes = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not scopes or not scopes <= set(SCOPES):
        raise argparse.ArgumentTypeError(f"must be some of {','.join(SCOPES)}, parted by commas")
    return scopes


async def _run(chosen: argparse.Namespace, database_url: str) -> int:
    engine = create_engine(database_url, pool_size=1)
    try:
        keys = ApiKeys(engine)
        match chosen.command:
            case "create":
                key, secret = await keys.create(chosen.name, chosen.scopes)
                _show_new(key, secret, as_json=chosen.json)
            case "list":
                _show_all(await keys.list(), as_json=chosen.json)
            case _:
                return _told(await keys.revoke(chosen.id), chosen.id)
    finally:
        await engine.dispose()
    return 0


def _described(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _show_new(key: ApiKey, secret: str, *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps(_described(key) | {"secret": secret}))
    else:
        _say(f"{key.id}  {key.name}  {','.join(sorted(key.scopes))}\n{secret}\nThe secret is not shown again.")


def _show_all(keys: Sequence[ApiKey], *, as_json: bool) -> None:
    if as_json:
        _say(json.dumps([_described(key) for key in keys]))
        return
    for key in keys:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "active"
        _say(f"{key.id}  {key.name}  {','.join(sorted(key.scopes))}  made {key.created_at:%Y-%m-%d %H:%M}  {state}")


def _told(revoked: bool, key_id: str) -> int:
    if revoked:
        _say(f"{key_id} is revoked")
        return 0
    _complain(f"no active key has the id {key_id}")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
