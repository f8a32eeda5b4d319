"""The subscribers there are; each builds itself from its own settings."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module

from events.subscribers.contract import Subscriber

NAMES = ("orders", "notifications", "analytics", "webhooks")
"""Each is also the name of its package here."""
FORGETFUL = ("orders", "analytics")
"""Those whose work can be forgotten and done again; mails that were sent, and webhooks, stay sent."""

Build = Callable[[], AbstractAsyncContextManager[Subscriber]]


def builder(name: str) -> Build:
    """What builds the subscriber of this name. Only its own module is loaded: it may need what others do not have."""
    if name not in NAMES:
        raise ValueError(f"{name!r} is no subscriber; there are {', '.join(NAMES)}")
    build: Build = import_module(f"events.subscribers.{name}").build
    return build
