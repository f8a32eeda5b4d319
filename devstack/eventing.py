"""The parts that carry events and act on them: what each is told, how it is started, and when it is ready."""

import asyncio
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from devstack.brokers import nats_part
from devstack.layout import Layout
from devstack.parts import ChildPart, PartSpec, Say, until_ready
from devstack.ports import HOST
from devstack.settings import Addresses, StackOptions, python

BROKER, MAILBOX, RELAY = "nats", "mailbox", "relay"
SUBSCRIBERS = ("orders", "notifications", "analytics", "webhooks")
MEASURED = (RELAY, *SUBSCRIBERS)
"""Those that answer /metrics; each is a client of the broker."""
PARTS = (BROKER, MAILBOX, *MEASURED)
"""Every part that is here for events alone; the rest of the stack works without them."""
SCOPES: Mapping[str, str] = {"orders": "read,write", "notifications": "read,customers"}
"""What the API lets each subscriber do that calls it."""
SENDER, SHOP = "Paysaga demo shop <shop@paysaga.example>", "disputes@paysaga.example"
_READY_SECONDS = 60.0
_GRACE_SECONDS = 15.0


def outside_broker() -> str | None:
    """The broker that BROKER_URL names, None when we start our own."""
    return os.environ.get("BROKER_URL") or None


def wanted(options: StackOptions) -> tuple[str, ...]:
    """The parts that are started."""
    unwanted = options.without | ({BROKER} if outside_broker() else set())
    return tuple(name for name in PARTS if name not in unwanted)


def spec(
    name: str, layout: Layout, addresses: Addresses, environment: Mapping[str, str], api_keys: Mapping[str, str]
) -> PartSpec:
    """How the part of this name is started. `api_keys` are the subscribers', by name."""
    match name:
        case "nats":
            return broker(layout, addresses)
        case "mailbox":
            return mailbox(layout, addresses, environment)
        case "relay":
            return relay(layout, addresses, environment)
        case _:
            return subscriber(name, layout, addresses, environment, api_keys)


def broker(layout: Layout, addresses: Addresses) -> PartSpec:
    """The embedded broker."""
    return nats_part(layout.nats, _port(addresses.broker), layout.log(BROKER))


def mailbox(layout: Layout, addresses: Addresses, environment: Mapping[str, str]) -> PartSpec:
    """The mail server that sends nothing anywhere: every mail is a file in its folder."""
    command = python("-m", "devstack.mailbox", "--port", str(_port(addresses.smtp)), "--folder", str(layout.mails))
    return PartSpec(MAILBOX, command, environment, layout.log(MAILBOX))


def relay(layout: Layout, addresses: Addresses, environment: Mapping[str, str]) -> PartSpec:
    """The process that takes events from the books to the broker."""
    command = python("-m", "events.relay")
    return PartSpec(RELAY, command, _measured(RELAY, addresses, environment), layout.log(RELAY), _GRACE_SECONDS)


def subscriber(
    name: str, layout: Layout, addresses: Addresses, environment: Mapping[str, str], api_keys: Mapping[str, str]
) -> PartSpec:
    """One subscriber, with its key to the API where it calls it."""
    told = _measured(name, addresses, environment)
    if name in api_keys:
        told |= {"PAYSAGA_API_URL": addresses.api, "PAYSAGA_API_KEY": api_keys[name]}
    if name == "notifications":
        told |= {"SMTP_URL": addresses.smtp, "MAIL_FROM": SENDER, "MAIL_SHOP": SHOP}
    command = python("-m", "events.subscribers", name)
    return PartSpec(name, command, told, layout.log(name), _GRACE_SECONDS)


async def ready(part: ChildPart, addresses: Addresses, say: Say) -> None:
    """Wait until the part does what it is there for. Raises PartFailedError."""
    name = part.record.name

    async def is_ready() -> bool:
        match name:
            case "nats":
                return await _listens(_port(addresses.broker))
            case "mailbox":
                return part.said(f"mailbox ready on {HOST}:{_port(addresses.smtp)}")
            case _:
                return part.said(f"{name} ready")

    await until_ready(part, is_ready, _READY_SECONDS, say)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def _measured(name: str, addresses: Addresses, environment: Mapping[str, str]) -> dict[str, str]:
    return dict(environment) | {"METRICS_HOST": HOST, "METRICS_PORT": str(_port(addresses.metrics[name]))}


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None, "every address of a part of ours names its port"
    return port
