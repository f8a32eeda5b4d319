"""A checkout that is paid by several tenders: all of them or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.checkout import Checkout, CheckoutStatus
from domain.saga import CheckoutCommand, EndReason, GatewayAccount, SagaPolicy
from domain.states import ENDED, CheckoutState
from domain.timeline import JsonScalar, terms_of

S = CheckoutState


@dataclass(frozen=True)
class SplitCommand:
    """What a split checkout's workflow starts with; `tenders` are the commands of its legs, in their order."""

    checkout: CheckoutCommand
    tenders: tuple[CheckoutCommand, ...]

    @classmethod
    def of(
        cls, checkout: Checkout, legs: Sequence[Checkout], accounts: Mapping[str, GatewayAccount], policy: SagaPolicy
    ) -> "SplitCommand":
        """The command that starts this split checkout's workflow."""
        tenders = tuple(CheckoutCommand.of(leg, accounts, policy) for leg in legs)
        whole = CheckoutCommand(
            checkout_id=checkout.id,
            order_id=checkout.order_id,
            amount=checkout.amount,
            gateway=checkout.gateway,
            capture=checkout.capture,
            confirm_within_seconds=checkout.confirm_within_seconds,
            expires_at=checkout.expires_at,
            live=any(tender.live for tender in tenders),
            return_url=checkout.return_url,
            policy=policy,
        )
        return cls(whole, tenders)


def split_terms(checkout: Checkout, legs: Sequence[Checkout]) -> dict[str, JsonScalar]:
    """The details of a split checkout's first row: the shop's terms, its tenders among them."""
    return terms_of(checkout) | {"tenders": ",".join(f"{leg.gateway}:{leg.amount.minor}" for leg in legs)}


def is_held(tender: CheckoutStatus) -> bool:
    """Whether its money is certain: held, taken, or sold already (seen after the workflow was reset)."""
    return tender.state in (S.AUTHORIZED, S.PAID, S.COMPLETED)


def is_taken(tender: CheckoutStatus) -> bool:
    """Whether its money is captured."""
    return tender.state in (S.PAID, S.COMPLETED)


def why_lost(tender: CheckoutStatus) -> EndReason | None:
    """Why a split checkout with this tender comes to no sale; None while it may."""
    if tender.state is S.PAID and tender.captured_minor == tender.refunded_minor:
        return EndReason.CANCELED_AT_GATEWAY if tender.captured_minor else EndReason.CAPTURE_LOST
    if tender.state not in ENDED or tender.state is S.COMPLETED:
        return None
    match tender.state:
        case S.DECLINED:
            return EndReason.DECLINED
        case S.EXPIRED:
            return EndReason.EXPIRED
        case _:
            code = tender.failure.code if tender.failure else ""
            return EndReason(code) if code in _TOLD_ON else EndReason.FAILED


_TOLD_ON = frozenset(
    {EndReason.CANCELED_AT_GATEWAY, EndReason.CANCELED_BY_OPERATOR, EndReason.NOT_CONFIRMED_IN_TIME, EndReason.DECLINED}
)
"""What a tender's end means for the whole, where it is more than that it failed."""
