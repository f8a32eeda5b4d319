"""Several gateways, some of which will not open a payment, and what a test asks about the way from one to the next."""

from typing import Any

from domain.checkout import Checkout, CheckoutStatus
from domain.outcomes import Answer, Declined
from domain.payment import Decline, DeclineCode
from domain.saga import SagaPolicy
from gateways.contract import CreatePayment, Evidence, Gateway
from gateways.paypal.adapter import PayPalGateway
from gateways.registry import Builder
from gateways.stripe.adapter import StripeGateway
from ledger.contract import Operation
from ledger.operations import Operations
from tests.workflows.agreement import agree
from tests.workflows.sandboxes import Announced, paypal_options, stripe_options
from tests.workflows.support import Shop

GATEWAYS = ("stripe", "paypal", "adyen")
HASTY = SagaPolicy(poll_after_seconds=20, poll_at_most_seconds=60, stuck_after_seconds=10, failover_after_seconds=4)
NOWHERE = "http://127.0.0.1:9"


class Reluctant(StripeGateway):
    """Declines whatever it is asked to open."""

    hard = False

    async def create(self, request: CreatePayment) -> Answer:
        """No."""
        return Declined(Decline(DeclineCode.TRY_AGAIN_LATER, self.hard, "not_today", "not today"))


class Opposed(Reluctant):
    """Declines for good."""

    hard = True


def further_gateways(sandbox: Announced) -> dict[str, Builder]:
    """Gateways that will not open a payment, each for a reason of its own."""
    stripe = stripe_options(sandbox)

    def closed(evidence: Evidence) -> Gateway:
        return StripeGateway(stripe_options(sandbox, NOWHERE))

    def locked(evidence: Evidence) -> Gateway:
        return PayPalGateway(paypal_options(sandbox, client_secret="wrong"), evidence)

    return {
        "closed": closed,
        "locked": locked,
        "reluctant": lambda evidence: Reluctant(stripe),
        "opposed": lambda evidence: Opposed(stripe),
    }


async def operations(shop: Shop, checkout: Checkout) -> list[Operation]:
    """The checkout's creates, oldest first."""
    return [op for op in await Operations(shop.parts.engine).of_checkout(checkout.id) if op.verb == "create"]


async def tried(shop: Shop, checkout: Checkout) -> list[tuple[str, str]]:
    """The keys under which a payment was asked for, and where."""
    return [(op.key.removeprefix(f"{checkout.id}:"), op.gateway) for op in await operations(shop, checkout)]


async def moves(shop: Shop, checkout: Checkout) -> list[tuple[Any, Any, Any]]:
    """From where to where the checkout went, and why."""
    rows = [row for row in await shop.timeline(checkout) if row.key.startswith("failed_over")]
    return [(row.details["from"], row.details["to"], row.details["reason"]) for row in rows]


async def sold(shop: Shop, checkout: Checkout, gateway: str) -> CheckoutStatus:
    """The customer pays where the checkout ended up; it completes there, and all books agree."""
    await shop.until(checkout, "awaiting_payment", patience=40)
    assert (await shop.record_of(checkout)).gateway == gateway
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "completed")
    assert {row["gateway"] for row in await shop.gateway_rows(checkout)} == {gateway}
    return await agree(shop, checkout)


async def left_for(shops: Shop, first: str, second: str, **changes: Any) -> Checkout:
    """A checkout that went on from a gateway which gave no answer."""
    checkout = await shops.record(gateway=first, alternatives=(second,), **changes)
    await shops.strike("create", "timeout_after" if first == "paypal" else "timeout_before", checkout, count=1000)
    assert await shops.sagas().open(checkout, 30)
    await shops.sandbox.delete("/sandbox/faults")
    assert (await shops.record_of(checkout)).gateway == second
    return checkout
