"""The AsyncAPI 3.0 document: what is told, where a reader of the configured broker finds it, and its shape.

FastStream makes it, from one publisher for each type of event; nothing is connected for that.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal

from faststream.specification import AsyncAPI
from pydantic import BaseModel, create_model

from domain.timeline import EventType
from events.broker.registry import PREFIX
from events.models import MODELS
from events.wire import CONTENT_TYPE, Envelope

_ABOUT = (
    "What Paysaga tells other services: CloudEvents 1.0 in JSON, structured mode. Every event comes at least once; "
    "those of one subject come in the order of their sequence, which counts them from 1 without gaps. One whose id "
    "was seen before changes nothing. Take fields and types that you do not know; pass over the types you do not want."
)
_NOWHERE = "broker"
"""Where the broker is, and how one logs in there, is said to those who run readers, not to everybody."""

Publish = Callable[[EventType, type[BaseModel]], None]


@cache
def asyncapi_document(scheme: str) -> Mapping[str, Any]:
    """The document for readers of this kind of broker: nats, kafka, amqp or redis."""
    broker, publish = _BROKERS[scheme]()
    for event_type, model in MODELS.items():
        publish(event_type, _message(event_type, model))
    made = AsyncAPI(broker, title="Paysaga events", version="1", description=_ABOUT, schema_version="3.0.0")
    text = made.to_specification().to_json()
    # FastStream's own names: the one has a character that AsyncAPI does not allow, the other is about a development
    # machine.
    text = text.replace(":Message", ".message").replace("#/servers/development", "#/servers/broker")
    document: dict[str, Any] = json.loads(text)
    document["servers"] = {"broker": document["servers"]["development"]}
    _sort(document["channels"])
    _sort(document["operations"])
    _sort(document["components"]["messages"], ".message")
    document["defaultContentType"] = CONTENT_TYPE
    return document


def _sort(part: dict[str, Any], ending: str = "") -> None:
    """In the order of a sale, not in that of a set."""
    for event_type in MODELS:
        part[f"{event_type}{ending}"] = part.pop(f"{event_type}{ending}")


def _message(event_type: EventType, model: type[BaseModel]) -> type[BaseModel]:
    """The envelope with this type's data."""
    fields: dict[str, Any] = {"type": (Literal[event_type.value], ...), "data": (model, ...)}
    return create_model(f"{model.__name__}Event", __base__=Envelope, __doc__=model.__doc__, **fields)


def _nats() -> tuple[Any, Publish]:
    from faststream.nats import NatsBroker

    broker = NatsBroker(specification_url=f"nats://{_NOWHERE}")
    return broker, lambda named, model: _added(broker.publisher, named, model, f"{PREFIX}.events.{named}")


def _kafka() -> tuple[Any, Publish]:
    from faststream.kafka import KafkaBroker

    broker = KafkaBroker(specification_url=f"kafka://{_NOWHERE}")
    return broker, lambda named, model: _added(broker.publisher, named, model, f"{PREFIX}.events")


def _rabbit() -> tuple[Any, Publish]:
    from faststream.rabbit import ExchangeType, RabbitBroker, RabbitExchange

    broker = RabbitBroker(virtualhost="/", specification_url=f"amqp://{_NOWHERE}")
    exchange = RabbitExchange(PREFIX, ExchangeType.TOPIC)
    return broker, lambda named, model: _added(
        broker.publisher, named, model, routing_key=f"events.{named}", exchange=exchange
    )


def _redis() -> tuple[Any, Publish]:
    from faststream.redis import RedisBroker

    broker = RedisBroker(specification_url=f"redis://{_NOWHERE}")
    return broker, lambda named, model: _added(broker.publisher, named, model, stream=f"{PREFIX}:events")


def _added(publisher: Callable[..., Any], named: EventType, model: type[BaseModel], *where: str, **also: Any) -> None:
    publisher(*where, **also, schema=model, title=named.value, description=model.__doc__)


# Each loads its own driver, and only that.
_BROKERS: Mapping[str, Callable[[], tuple[Any, Publish]]] = {
    "nats": _nats,
    "kafka": _kafka,
    "amqp": _rabbit,
    "redis": _redis,
}
