"""What other services are told: `/asyncapi.json`, the same as a page at `/asyncapi`, and each type's JSON Schema.

Anybody may read them, as the OpenAPI document: they say what there is, not what happened.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api.problems import Problem
from api.services import services_of
from events.asyncapi import asyncapi_document
from events.contract import SCHEMA_VERSION
from events.schemas import ENVELOPE, published

_HERE = Path(__file__).with_name("templates")
_STYLE = (_HERE / "asyncapi.css").read_text(encoding="utf-8")
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    # The page runs nothing and loads nothing, from here or from anywhere else.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
_TEMPLATES = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


@dataclass(frozen=True)
class Field:
    """One line of a table: a field by its path in the event, and what may be in it."""

    name: str
    kind: str
    required: bool
    told: str


async def answer_document(request: Request) -> Response:
    """The AsyncAPI document for the broker that is configured."""
    return JSONResponse(asyncapi_document(services_of(request).broker))


async def answer_page(request: Request) -> Response:
    """The same for people."""
    return HTMLResponse(_page(services_of(request).broker), headers=_HEADERS)


async def answer_schema(request: Request) -> Response:
    """The JSON Schema of one type's data."""
    name = f"{request.path_params['type']}.v{request.path_params['version']}.json"
    schema = _published().get(name)
    if schema is None:
        raise Problem(404, "not_found", "There is no such type of event, or no such version of it.")
    return JSONResponse(schema, media_type="application/schema+json")


ROUTES = (
    Route("/asyncapi.json", answer_document, methods=["GET"]),
    Route("/asyncapi", answer_page, methods=["GET"]),
    Route("/schemas/events/{type}/{version}", answer_schema, methods=["GET"]),
)


@cache
def _published() -> Mapping[str, Mapping[str, Any]]:
    return published()


@cache
def _page(broker: str) -> str:
    document = asyncapi_document(broker)
    schemas = document["components"]["schemas"]
    events = [(name, channel, list(_data(schemas, name, document))) for name, channel in document["channels"].items()]
    template = _TEMPLATES.get_template("asyncapi.html")
    envelope = [
        field for field in _fields({}, _published()[f"{ENVELOPE}.v{SCHEMA_VERSION}.json"]) if field.name != "data"
    ]
    return template.render(document=document, broker=broker, style=_STYLE, events=events, envelope=envelope)


def _payload(schemas: Mapping[str, Any], document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _resolved(schemas, document["components"]["messages"][f"{name}.message"]["payload"])


def _data(schemas: Mapping[str, Any], name: str, document: Mapping[str, Any]) -> Iterator[Field]:
    yield from _fields(schemas, _resolved(schemas, _payload(schemas, document, name)["properties"]["data"]))


def _fields(schemas: Mapping[str, Any], schema: Mapping[str, Any], path: str = "") -> Iterator[Field]:
    """The fields of an object, those of the objects in it after it."""
    for name, declared in schema.get("properties", {}).items():
        inner = _resolved(schemas, declared)
        yield Field(
            f"{path}{name}", _kind(schemas, inner), name in schema.get("required", ()), inner.get("description", "")
        )
        yield from _fields(schemas, inner, f"{path}{name}.")


def _kind(schemas: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "anyOf" in schema:
        return " or ".join(_kind(schemas, _resolved(schemas, choice)) for choice in schema["anyOf"])
    if "const" in schema:
        return f"“{schema['const']}”"
    if "enum" in schema:
        return " | ".join(schema["enum"])
    return str(schema.get("format", schema.get("type", "anything")))


def _resolved(schemas: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    named = schemas[schema["$ref"].removeprefix("#/components/schemas/")]
    return {**named, **{name: value for name, value in schema.items() if name != "$ref"}}
