"""From an address to the broker that is there."""

from collections.abc import Callable, Sequence
from importlib import import_module
from urllib.parse import urlsplit

from events.broker.contract import Broker

PREFIX = "paysaga"
"""What everything of ours at a broker is called by, before its own name."""

_MODULES = {"nats": "nats", "kafka": "kafka", "amqp": "rabbit", "redis": "redis"}


def connect(url: str, subscribers: Sequence[str] = (), prefix: str = PREFIX) -> Broker:
    """The broker at this address, not started yet. `subscribers`: the groups for which events must be kept at once.

    Only the module of that broker is loaded: the other drivers need not be there.
    """
    scheme = urlsplit(url).scheme
    if scheme not in _MODULES:
        raise ValueError(f"{scheme}:// is no broker; there are {', '.join(f'{name}://' for name in _MODULES)}")
    build: Callable[..., Broker] = import_module(f"events.broker.{_MODULES[scheme]}").build
    return build(url, subscribers, prefix)
