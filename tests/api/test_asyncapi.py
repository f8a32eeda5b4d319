"""What other services are told, as document, page and schemas."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator

from domain.timeline import EventType
from events.asyncapi import asyncapi_document
from events.schemas import published

from .conftest import Api


async def test_the_document_names_every_type(api: Api) -> None:
    """AsyncAPI 3.0, for anybody: a channel and an operation for each type, and every reference leads somewhere."""
    answer = await api.stranger.get("/asyncapi.json")
    assert answer.status_code == 200
    document = answer.json()
    assert document["asyncapi"] == "3.0.0"
    assert list(document["channels"]) == list(document["operations"]) == [*EventType]
    for reference in set(re.findall(r'"\$ref": ?"#/([^"]+)"', answer.text)):
        part = document
        for step in reference.split("/"):
            part = part[step]
    assert {operation["action"] for operation in document["operations"].values()} == {"send"}


@pytest.mark.parametrize(
    ("scheme", "address", "binding"),
    [
        ("nats", "paysaga.events.payment.succeeded", {"subject": "paysaga.events.payment.succeeded"}),
        ("kafka", "paysaga.events", {"topic": "paysaga.events"}),
        ("amqp", "events.payment.succeeded", {"is": "routingKey"}),
        ("redis", "paysaga:events", {"channel": "paysaga:events", "method": "xadd"}),
    ],
)
def test_it_says_where_readers_of_each_broker_look(scheme: str, address: str, binding: dict[str, str]) -> None:
    """The channel is where that broker has the events; where the broker itself is, nobody is told."""
    document = asyncapi_document(scheme)
    channel = document["channels"]["payment.succeeded"]
    assert channel["address"] == address
    assert binding.items() <= channel["bindings"][scheme].items()
    assert document["servers"]["broker"]["host"] == "broker"


def test_its_schemas_are_the_published_ones() -> None:
    """The data of a type has the same fields there as in its own JSON Schema, and the envelope is the published one."""
    schemas = asyncapi_document("nats")["components"]["schemas"]
    for name, schema in published().items():
        if name != "envelope.v1.json":
            shown = schemas[schema["title"]]
            assert shown["properties"].keys() == schema["properties"].keys()
            assert shown["required"] == schema["required"]
    envelope = published()["envelope.v1.json"]
    assert schemas["PaymentSucceededEvent"]["required"] == envelope["required"]
    assert schemas["PaymentSucceededEvent"]["properties"]["type"]["const"] == "payment.succeeded"


class _Outside(HTMLParser):
    """What a page runs or would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One tag."""
        if tag in ("script", "link", "img", "iframe", "object", "embed"):
            self.found.append(tag)
        self.found += [f"{tag} {name}={value}" for name, value in attrs if _leads_away(name, value or "")]


def _leads_away(name: str, value: str) -> bool:
    return name.startswith("on") or name == "style" or (name in ("src", "href") and value[:1] not in ("/", "#"))


async def test_the_page_loads_nothing(api: Api) -> None:
    """Every type is on it; it has no script and no address of another server, and its policy allows only its style."""
    answer = await api.stranger.get("/asyncapi")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    page = _Outside()
    page.feed(answer.text)
    assert page.found == []
    assert all(f'<h2 id="{event_type}">' in answer.text for event_type in EventType)
    style = answer.text.split("<style>")[1].split("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policies = answer.headers.get_list("content-security-policy")
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_each_schema_can_be_read(api: Api) -> None:
    """By type and version; every link of the page leads to one; what there is not is a 404."""
    page = (await api.stranger.get("/asyncapi")).text
    links = set(re.findall(r'href="(/schemas/[^"]+)"', page))
    assert links == {f"/schemas/events/{event_type}/1" for event_type in EventType}
    for link in links:
        answer = await api.stranger.get(link)
        assert answer.headers["content-type"] == "application/schema+json"
        Draft202012Validator.check_schema(answer.json())
    for nothing in ("payment.succeeded/2", "payment.unheard/1", "..%2fschemas/1", "x/..%2f..%2fsecret"):
        assert (await api.stranger.get(f"/schemas/events/{nothing}")).status_code == 404
