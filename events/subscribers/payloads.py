"""What an event's data says, read with care: whoever can write to the broker can write anything."""

from collections.abc import Mapping
from typing import Any, Protocol

from domain.states import CheckoutState
from events.subscribers.contract import PoisonError


class Telling(Protocol):
    """What these read: an event, or what the books have of one."""

    @property
    def type(self) -> str:
        """What happened."""

    @property
    def data(self) -> Mapping[str, Any]:
        """Everything about it."""


def text_of(event: Telling, name: str) -> str:
    """The member, a text that is not empty. Raises PoisonError."""
    value = event.data.get(name)
    if not isinstance(value, str) or not value:
        raise PoisonError(f"{event.type} without {name}")
    return value


def number_of(event: Telling, name: str) -> int:
    """The member, an integer. Raises PoisonError."""
    return integer(event, name, event.data.get(name))


def integer(event: Telling, name: str, value: object) -> int:
    """The value, where it is an integer; Python counts booleans among them, money does not. Raises PoisonError."""
    if type(value) is not int:
        raise PoisonError(f"{event.type} without {name}")
    return value


def details_of(event: Telling) -> dict[str, object]:
    """What the event says beyond where the checkout stands. Raises PoisonError."""
    details = event.data.get("details")
    if not isinstance(details, dict):
        raise PoisonError(f"{event.type} without details")
    return details


def state_of(event: Telling) -> CheckoutState:
    """Where the checkout stood after it. Raises PoisonError."""
    try:
        return CheckoutState(text_of(event, "state"))
    except ValueError:
        raise PoisonError(f"{event.type} with a state that is none") from None


def is_tenders(event: Telling) -> bool:
    """Whether it is about one tender of a split checkout; the whole's own events tell of the order."""
    return event.data.get("parent_id") is not None
