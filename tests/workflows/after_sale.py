"""What the tests of refunds and disputes have in common: a sale, what is done to it, and whether all books agree."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text

from domain.checkout import Checkout, CheckoutRecord
from domain.dispute import DisputeEvidence, DisputeState
from domain.money import Money
from domain.refund import Refund, RefundRecord
from domain.saga import SagaPolicy
from gateways.contract import Gateway
from ledger.contract import DisputeRecord
from ledger.disputes import Disputes
from ledger.refunds import Refunds
from ledger.verify import verify
from tests.workflows.agreement import at_gateways, on_books
from tests.workflows.sandboxes import payment_of
from tests.workflows.support import Shop, eventually

GATEWAYS = ("stripe", "paypal", "adyen")
EVIDENCE = DisputeEvidence("It was delivered on Monday to Ada Example, who signed for it.")


async def sold(shop: Shop, gateway: str = "stripe", means: str = "good", **changes: Any) -> Checkout:
    """A completed checkout whose own workflow has ended."""
    checkout = await shop.open(gateway=gateway, **changes)
    await shop.pay_with(checkout, means)
    await shop.until(checkout, "completed", patience=60)
    await shop.handle(checkout).result()
    return checkout


def gateway_of(shop: Shop, checkout: Checkout) -> Gateway:
    """The adapter of the checkout's gateway."""
    return shop.parts.gateways[checkout.gateway]


async def reserve(shop: Shop, checkout: Checkout, minor: int) -> RefundRecord:
    """Reserve a refund, as the API does; nothing is started."""
    id_ = f"rfd_{secrets.token_hex(12)}"
    amount = Money(minor, checkout.amount.currency)
    return await Refunds(shop.parts.engine).reserve(Refund(id_, checkout.id, amount, None, datetime.now(UTC)))


async def start(shop: Shop, checkout: Checkout, record: RefundRecord, policy: SagaPolicy | None = None) -> None:
    """Start the refund's workflow."""
    await shop.sagas(policy).start_refund(record, await shop.record_of(checkout))


async def refund(shop: Shop, checkout: Checkout, minor: int, policy: SagaPolicy | None = None) -> RefundRecord:
    """Reserve a refund and start its workflow."""
    record = await reserve(shop, checkout, minor)
    await start(shop, checkout, record, policy)
    return record


async def refund_now(shop: Shop, record: RefundRecord) -> RefundRecord:
    """The refund as it stands."""
    found = await Refunds(shop.parts.engine).get(record.refund.id)
    assert found is not None
    return found


async def refund_until(shop: Shop, record: RefundRecord, *states: str, patience: float = 60) -> RefundRecord:
    """The refund once it is in one of the states."""
    return await eventually(lambda: refund_now(shop, record), lambda r: r.status in states, patience)


def refund_handle(shop: Shop, record: RefundRecord) -> Any:
    """The refund's workflow."""
    return shop.parts.client.get_workflow_handle(record.refund.workflow_id)


async def open_dispute(shop: Shop, checkout: Checkout, kind: str = "chargeback", minor: int | None = None) -> str:
    """The customer disputes the payment; the dispute as the gateway names it."""
    record = await shop.record_of(checkout)
    amount = None if minor is None else Money(minor, checkout.amount.currency)
    payment = payment_of(checkout, record.status)
    return await shop.world(record.gateway).open_dispute(payment, kind, amount)  # type: ignore[arg-type] # its names


async def dispute_of(shop: Shop, checkout: Checkout, *states: str, patience: float = 60) -> DisputeRecord:
    """The checkout's one dispute once it is on the books, in one of the states where some are given."""
    disputes = Disputes(shop.parts.engine)

    def is_there(found: tuple[DisputeRecord, ...]) -> bool:
        return len(found) == 1 and (not states or found[0].snapshot.state in states)

    return (await eventually(lambda: disputes.of_checkout(checkout.id), is_there, patience))[0]


async def disputed(shop: Shop, gateway: str = "stripe", kind: str = "chargeback") -> tuple[Checkout, DisputeRecord]:
    """A sale that its customer disputes, as the books have it; a chargeback's money is out of them."""
    checkout = await sold(shop, gateway)
    await open_dispute(shop, checkout, kind)
    if kind == "inquiry":
        return checkout, await dispute_of(shop, checkout, DisputeState.INQUIRY)
    # Adyen gives notice of a chargeback before it takes the money for it.
    return checkout, await eventually(
        lambda: dispute_of(shop, checkout, DisputeState.NEEDS_RESPONSE),
        lambda seen: seen.snapshot.withdrawn == seen.snapshot.amount,
    )


async def submit(shop: Shop, checkout: Checkout, dispute: DisputeRecord, patience: float = 30) -> str:
    """Answer the dispute with `EVIDENCE`; the id under which that is kept."""
    evidence_id = await Disputes(shop.parts.engine).save_evidence(dispute.id, EVIDENCE, "key_ada")
    record = await shop.record_of(checkout)
    assert await shop.sagas().submit_evidence(dispute, record, evidence_id, "key_ada", patience)
    return evidence_id


def dispute_handle(shop: Shop, dispute: DisputeRecord) -> Any:
    """The dispute's workflow."""
    return shop.parts.client.get_workflow_handle(dispute.workflow_id)


async def balanced(shop: Shop, checkout: Checkout) -> CheckoutRecord:
    """Assert that the gateway's own books and ours say the same, row by row; the checkout as it stands."""
    gateways, books = await at_gateways(shop, checkout), await on_books(shop, checkout)
    record = await shop.record_of(checkout)
    assert gateways == books, (checkout.id, record.status)
    assert (await verify(shop.parts.engine, checkout.id)).breach is None
    return record


async def events(shop: Shop, checkout: Checkout) -> list[str]:
    """What other services are told of the checkout, in order."""
    query = text("SELECT type FROM outbox WHERE checkout_id = :id ORDER BY sequence")
    async with shop.parts.engine.connect() as connection:
        return [row.type for row in await connection.execute(query, {"id": checkout.id})]
