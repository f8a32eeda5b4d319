"""The world around a gateway, in words that hold for every gateway: customers, faults, and the gateway's own books."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, Literal, Protocol

import httpx
import pytest

from domain.money import Money
from domain.payment import DeclineCode, PaymentSnapshot
from gateways.contract import Gateway
from tests.gateways.inbox import Delivery, Inbox

MEANS: Mapping[str, str] = {
    "good": "the customer agrees, and the money can be had",
    "declined_soft": "a no that another means, or the same later, may turn into a yes",
    "declined_hard": "a no that stands",
    "challenged": "the bank asks the customer once more; `authenticate` answers",
    "refund_pending": "a refund of this takes until `settle`, then succeeds",
    "refund_fails": "a refund of this looks done or pending until `settle`, then fails",
    "capture_pending": "taking the money takes until `settle`",
}
"""How a customer pays, by neutral names; what each world cannot do of it stands in its `cannot`."""

ABILITIES: Mapping[str, str] = {
    "pay": "a test can act for the customer",
    "control": "faults, the clock, what is pending and the gateway's own books are in a test's hands",
    "stored_500": "the gateway keeps a failure under its key and replays it",
    "other_request": "the gateway refuses a key that comes back with another request",
    "key_in_flight": "the gateway tells that it works on a call with the same key",
    "livemode_true": "the gateway's answers state whether real money moves, so they can lie about it",
    "search_lag": "the gateway's search can lag behind",
    "transactions": "the gateway has a list of what moved",
    "rotation": "deliveries are proven by a secret that can be changed",
    "disputes": "a test can act for a customer who disputes, and for whoever decides that",
    "inquiry": "the gateway asks before it takes disputed money",
}
"""What a case may need beside the gateway's capabilities; it is skipped with the reason in `cannot` where it is not."""

VERBS = (
    *("create", "authorize", "reauthorize", "capture", "take", "void", "refund"),
    *("evidence", "accept", "lookup", "find", "webhook"),
)
"""What a fault can strike. `capture` takes what is held, `take` what was only approved (the contract calls both so)."""

DisputeKind = Literal["inquiry", "chargeback"]
"""What a customer's bank, or the gateway, begins a dispute with: a question, or the money withdrawn."""


AMOUNTS = (
    Money(4200, "EUR"),
    Money(500, "JPY"),
    Money(5120, "KWD"),
    Money(900, "ISK"),
    Money(900, "CLP"),
    Money(50_000, "MGA"),
    Money(17_500, "HUF"),
    Money(10_000, "TWD"),
)
"""Prices in currencies without, with two and with three decimals, and such that gateways count in their own way."""


class Outside(Protocol):
    """What a test can do to one gateway from outside; entered as a context, it is there and its webhooks are received.

    `cannot`: of `MEANS` and `ABILITIES` what is not possible here, each with the reason.
    `declines`: the unified code and whether it is hard, for the declining means.
    `charged`: each of `AMOUNTS` whose currency is taken, with what the gateway's books must say, in its own unit.
    `misfits`: amounts that this gateway cannot charge exactly. `unknown_payment`: a well-formed id it never gave.
    `secrets`: what must show in no log and no exception. `stranger`: a well-formed webhook secret that never signed.
    `transactions_lag`: how late the gateway's own list may be.
    """

    name: str
    cannot: Mapping[str, str]
    declines: Mapping[str, tuple[DeclineCode, bool]]
    charged: Mapping[Money, int]
    misfits: Sequence[Money]
    unknown_payment: str
    secrets: Sequence[str]
    stranger: str
    transactions_lag: timedelta
    inbox: Inbox

    def gateway(
        self, timeout_seconds: float = 5, secrets: tuple[str, ...] | None = None, base: str | None = None
    ) -> Gateway:
        """A new adapter for this account that reads the inbox as its evidence.

        `secrets`: those that webhooks may be signed with, all that are active unless given. `base`: another address.
        """
        ...

    async def pay(self, payment: PaymentSnapshot, means: str = "good") -> None:
        """The customer pays at the payment's `next_action`, or tries to; done when the gateway has heard it."""
        ...

    async def authenticate(self, payment: PaymentSnapshot, approve: bool) -> None:
        """The customer answers the bank's question of a challenged payment, which is given as it was last seen."""
        ...

    async def fault(self, verb: str, kind: str, reference: str, **how: Any) -> None:
        """The next call of `verb` (see `VERBS`) for this checkout goes wrong in this way."""
        ...

    async def movements(self, reference: str) -> list[tuple[str, int]]:
        """What the gateway's own books say happened for this checkout, in order, in the gateway's unit."""
        ...

    async def settle(self) -> None:
        """What the gateway has pending happens now."""
        ...

    async def now(self) -> datetime:
        """The gateway's time."""
        ...

    async def pass_time(self, seconds: float) -> None:
        """The gateway's clock moves on."""
        ...

    async def search_lags(self, seconds: float) -> None:
        """New payments stay invisible to the gateway's search for this long."""
        ...

    async def open_dispute(self, payment: PaymentSnapshot, kind: DisputeKind, amount: Money | None = None) -> str:
        """The customer disputes a captured payment, all of it unless an amount is given; the dispute as we name it."""
        ...

    async def decide(self, dispute_id: str, won: bool) -> None:
        """The dispute is decided, for us or for the customer."""
        ...

    async def escalate(self, dispute_id: str) -> None:
        """An inquiry becomes a chargeback."""
        ...

    async def rotate(self) -> str:
        """A second secret for the inbox's endpoint; the answer is the new one, and `gateway` takes both from now on."""
        ...

    def unsigned(self, delivery: Delivery) -> Delivery:
        """The same delivery without what proves it."""
        ...


_WORLDS: Mapping[str, str] = {
    "stripe": "tests.gateways.stripe.outside:StripeOutside",
    "paypal": "tests.gateways.paypal.outside:PayPalOutside",
    "adyen": "tests.gateways.adyen.outside:AdyenOutside",
}


def world_class(name: str) -> Callable[[str, httpx.AsyncClient], AbstractAsyncContextManager[Outside]]:
    """The world around this gateway at a sandbox, made of the sandbox's address and an HTTP client."""
    module, _, kind = _WORLDS[name].partition(":")
    found: Callable[[str, httpx.AsyncClient], AbstractAsyncContextManager[Outside]]
    found = getattr(import_module(module), kind)
    return found


def needs(outside: Outside, *names: str) -> None:
    """Skip the test where one of these `MEANS` or `ABILITIES` is not to be had, saying why."""
    for name in names:
        assert name in MEANS or name in ABILITIES, name
        if name in outside.cannot:
            pytest.skip(f"{outside.name}: {outside.cannot[name]}")
