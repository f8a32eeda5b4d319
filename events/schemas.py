"""The JSON Schema of every type's data, as published in `events/published`.

`python -m events.schemas --write` publishes what has been added, and refuses what would break those who read it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from events.compatibility import breaks
from events.contract import SCHEMA_VERSION
from events.models import MODELS
from events.wire import Envelope, data_schema

PUBLISHED = Path(__file__).with_name("published")
ENVELOPE = "envelope"
_ENDING = f".v{SCHEMA_VERSION}.json"


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every type's data, and of the envelope, by the name of its file."""
    made = {str(event_type): _schema(event_type, model) for event_type, model in MODELS.items()}
    made[ENVELOPE] = _schema(ENVELOPE, Envelope)
    return {f"{name}{_ENDING}": schema for name, schema in made.items()}


def published() -> dict[str, dict[str, Any]]:
    """What has been published of this version, by the name of its file."""
    found = sorted(PUBLISHED.glob(f"*{_ENDING}"))
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in found}


def broken() -> list[str]:
    """What the models, as they are now, would break for those who read by what is published."""
    made = schemas()
    return [f"{name}: {what}" for name, old in published().items() for what in breaks(old, made.get(name))]


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": data_schema(name, SCHEMA_VERSION),
    }
    return named | model.model_json_schema()


def _write() -> None:
    PUBLISHED.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (PUBLISHED / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m events.schemas --write")
    if problems := broken():
        sys.exit("\n".join(["this would break who reads the events:", *problems]))
    _write()
