"""The saga's vocabulary: what it is told to do, what it learns, and why it may end."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.checkout import CaptureMode, Checkout, HoldPolicy
from domain.currency import exponent_of
from domain.money import Money
from domain.payment import PaymentSnapshot


@dataclass(frozen=True)
class SagaPolicy:
    """How patient the saga is, in seconds; see the settings of the same names.

    `four_eyes_above`: in whole units of any currency (1000 is 1,000.00 EUR or 1,000 JPY): what a person orders about
    more than that, a second one has to order too.
    """

    poll_after_seconds: float = 60
    poll_at_most_seconds: float = 900
    stuck_after_seconds: float = 120
    failover_after_seconds: float = 25
    page_after_seconds: float = 3600
    four_eyes_above: int = 1000

    def needs_two(self, amount: Money) -> bool:
        """Whether moving this takes two people."""
        return amount.minor > self.four_eyes_above * int(10 ** exponent_of(amount.currency))


@dataclass(frozen=True)
class GatewayAccount:
    """One of our accounts with a gateway, and what of its capabilities decides how a saga goes.

    `live`: whether real money moves. `merchant_account`: as the gateway's answers name it, None where they do not.
    `voids_unpaid`: a payment that is not paid can be made unpayable; where not, only our own capture takes its money.
    `finds_by_reference`: the gateway shows every payment by our reference, also one whose creation was not answered.
    `partial_capture`, `several_captures`: what can be taken of a hold. `reauthorize_after_seconds`: how old a hold must
    be to be held anew, None where it cannot be. `answers_disputes`: the verbs with which a dispute can be answered.
    """

    gateway: str
    live: bool
    merchant_account: str | None = None
    voids_unpaid: bool = True
    finds_by_reference: bool = True
    partial_capture: bool = True
    several_captures: bool = False
    reauthorize_after_seconds: float | None = None
    answers_disputes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckoutCommand:
    """What a checkout's workflow starts with: no personal data. `live`: whether real money is meant.

    `accounts` are those that the payment may be opened with, in the order in which they are tried. `parent_id`: the
    split checkout of which this is one tender.
    """

    checkout_id: str
    order_id: str
    amount: Money
    gateway: str
    capture: CaptureMode
    confirm_within_seconds: int | None
    expires_at: datetime
    live: bool
    return_url: str | None = None
    policy: SagaPolicy = SagaPolicy()
    accounts: tuple[GatewayAccount, ...] = ()
    parent_id: str | None = None
    on_hold_expiry: HoldPolicy = HoldPolicy.CANCEL

    @classmethod
    def of(cls, checkout: Checkout, accounts: Mapping[str, GatewayAccount], policy: SagaPolicy) -> "CheckoutCommand":
        """The command that starts this checkout's workflow."""
        return cls(
            checkout_id=checkout.id,
            order_id=checkout.order_id,
            amount=checkout.amount,
            gateway=checkout.gateway,
            capture=checkout.capture,
            confirm_within_seconds=checkout.confirm_within_seconds,
            expires_at=checkout.expires_at,
            live=accounts[checkout.gateway].live,
            return_url=checkout.return_url,
            policy=policy,
            accounts=tuple(accounts[name] for name in (checkout.gateway, *checkout.alternatives)),
            parent_id=checkout.parent_id,
            on_hold_expiry=checkout.on_hold_expiry,
        )

    def account(self, gateway: str) -> GatewayAccount:
        """The account with this gateway. Commands of before there were several accounts name none."""
        found = (account for account in self.accounts if account.gateway == gateway)
        return next(found, GatewayAccount(gateway, self.live))

    def account_after(self, gateway: str) -> GatewayAccount | None:
        """The account to try when this gateway will not have the payment; None after the last."""
        names = [account.gateway for account in self.accounts]
        following = names.index(gateway) + 1 if gateway in names else len(names)
        return self.accounts[following] if following < len(names) else None


@dataclass(frozen=True)
class CaptureOrder:
    """What the shop wants taken of the hold: all that is left unless `amount_minor` is given.

    `final`: nothing more will be asked for, so the rest is released.
    """

    amount_minor: int | None = None
    final: bool = True


@dataclass(frozen=True)
class Fact:
    """What a gateway was seen to say, and by what we learnt it: `webhook:<event id>`, `poll`, `timer` or `api`."""

    payment: PaymentSnapshot
    cause: str


class Verdict(StrEnum):
    """What a split checkout tells its tenders to do."""

    CAPTURE = "capture"
    """Every tender is held or paid, and the shop has said yes where it must: take what is held."""
    KEEP = "keep"
    """Every tender is paid: the sale is made, finally."""
    GIVE_BACK = "give_back"
    """There is no sale: end with nothing held and nothing kept."""


class EndReason(StrEnum):
    """Why a checkout ends without a sale. What was taken by then is given back."""

    DECLINED = "declined"
    EXPIRED = "expired"
    CAPTURE_LOST = "capture_lost"
    """The gateway could not keep what it had taken, before the sale was made."""
    CANCELED_BY_SHOP = "canceled_by_shop"
    CANCELED_AT_GATEWAY = "canceled_at_gateway"
    REJECTED_BY_SHOP = "rejected_by_shop"
    NOT_CONFIRMED_IN_TIME = "not_confirmed_in_time"
    CANCELED_BY_OPERATOR = "canceled_by_operator"
    SPLIT_UNDONE = "split_undone"
    """A tender is given back because its split checkout came to no sale."""
    FAILED = "failed"
    LATE_MONEY = "late_money"


def contradiction(
    command: CheckoutCommand,
    payment: PaymentSnapshot,
    payment_id: str | None,
    account: GatewayAccount,
    captures: Collection[int] = (),
) -> str | None:
    """How the gateway's payment differs from what was asked, in a sentence; None when it does not.

    `payment_id` is that of the payment this saga opened, None while it is not known; `account` the one it was opened
    with; `captures` the totals, in minor units, that captures in part lead to as the shop asked for them.
    """
    if payment.gateway != account.gateway:
        return f"payment {payment.payment_id} is at {payment.gateway}, this checkout's is at {account.gateway}"
    if payment_id not in (None, payment.payment_id):
        return f"payment {payment.payment_id} is not {payment_id}, which this checkout opened"
    if payment.reference not in (None, command.checkout_id):
        return f"the gateway's payment {payment.payment_id} belongs to {payment.reference}"
    if account.merchant_account is not None and payment.account not in (None, account.merchant_account):
        return f"the payment went to account {payment.account}, asked was {account.merchant_account}"
    if payment.live is not account.live:
        return f"the payment is in {'live' if payment.live else 'test'} mode, asked was the other"
    if payment.amount != command.amount:
        return f"the payment is over {payment.amount}, asked was {command.amount}"
    if (
        payment.captured.minor not in (0, command.amount.minor, *captures)
        or payment.captured.currency != command.amount.currency
    ):
        return f"captured was {payment.captured}, asked was {command.amount}"
    return None
