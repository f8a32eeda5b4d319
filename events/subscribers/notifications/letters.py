"""What is written of an event: the template, the subject, and the words for both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.errors import InvalidMoneyError
from domain.money import Money
from events.contract import Event
from events.subscribers.contract import PoisonError
from events.subscribers.payloads import details_of, integer, number_of, text_of

Words = Mapping[str, str | None]


@dataclass(frozen=True)
class Letter:
    """A mail before it has a sender and a recipient. All its words are of one line each."""

    template: str
    subject: str
    words: Words


def receipt(event: Event) -> Letter | None:
    """What was taken for an order; None where that is nothing. Raises PoisonError."""
    taken, asked = (_money(event, number_of(event, name)) for name in ("amount_captured", "amount"))
    if not taken.minor:
        return None
    words = _of_order(event) | {"taken": str(taken), "asked": None if taken == asked else str(asked)}
    return Letter("receipt", f"Receipt for order {words['order']}: {taken}", words)


def refund(event: Event) -> Letter:
    """What was given back, now that it is final. Raises PoisonError.

    A refund of the shop's names its own amount; where a whole sale was undone, the sum of all that went back is named.
    """
    details = details_of(event)
    amount = integer(event, "an amount", details.get("amount", details.get("refunded")))
    returned = _money(event, amount)
    words = _of_order(event) | {"returned": str(returned)}
    return Letter("refund", f"Refund for order {words['order']}: {returned}", words)


def dispute(event: Event) -> Letter:
    """What a customer's bank asks back or asks about; for the shop. Raises PoisonError."""
    details = details_of(event)
    amount = _money(event, integer(event, "an amount", details.get("amount")))
    words = _of_order(event) | {
        "amount": str(amount),
        "dispute": _line(details.get("dispute_id")),
        "gateway": _line(event.data.get("gateway")),
        "reason": _line(details.get("reason")),
        "respond_by": _line(details.get("respond_by")),
        "inquiry": "yes" if details.get("state") == "inquiry" else None,
    }
    return Letter("dispute", f"Dispute over {amount} for order {words['order']}", words)


def _of_order(event: Event) -> dict[str, str | None]:
    return {
        "order": one_line(text_of(event, "order_id")),
        "checkout": one_line(text_of(event, "checkout_id")),
        "moment": _moment(event.time),
    }


def _money(event: Event, minor: int) -> Money:
    try:
        return Money(minor, text_of(event, "currency"))
    except InvalidMoneyError:
        raise PoisonError(f"{event.type} with an amount that is none") from None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _line(value: object) -> str | None:
    return one_line(value) if isinstance(value, str) and value else None


def one_line(text: str) -> str:
    """The text without line breaks and other signs that nobody sees, which could make two headers of one."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
