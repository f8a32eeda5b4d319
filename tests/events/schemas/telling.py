"""Whether what is in an outbox is as the published schemas say."""

import json
from functools import cache
from typing import Any

import asyncpg
from jsonschema import Draft202012Validator

from events.contract import SCHEMA_VERSION
from events.models import MODELS
from events.schemas import published
from ledger.engine import dsn


async def last_event(database_url: str) -> int:
    """The id of the newest event on the books, 0 where there is none."""
    connection = await asyncpg.connect(dsn(database_url))
    try:
        return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM outbox"))
    finally:
        await connection.close()


async def mistold(database_url: str, after: int = 0) -> list[str]:
    """What is wrong with the events after that one: which, where in its data, and why."""
    connection = await asyncpg.connect(dsn(database_url))
    try:
        rows = await connection.fetch("SELECT type, payload::text FROM outbox WHERE id > $1 ORDER BY id", after)
    finally:
        await connection.close()
    return sorted({wrong for event_type, text in rows for wrong in _wrong(event_type, json.loads(text))})


def _wrong(event_type: str, data: dict[str, Any]) -> list[str]:
    found = [f"{event_type}: {error.json_path}: {error.message}" for error in _validator(event_type).iter_errors(data)]
    if not found:
        # The models are what is read by; they must take what the schemas made of them take.
        MODELS[event_type].model_validate_json(json.dumps(data))  # type: ignore[index]
    return found


@cache
def _validator(event_type: str) -> Draft202012Validator:
    schema = published()[f"{event_type}.v{SCHEMA_VERSION}.json"]
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
