"""What only Adyen does, over the wire: batches, failures days later, late approvals, lapsing holds."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from domain.dispute import DisputeState
from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import DeclineCode, PaymentSnapshot, PaymentStatus, RefundStatus
from gateways.contract import Gateway, WebhookAuthentication
from tests.gateways.adyen.outside import AdyenOutside
from tests.gateways.checkouts import (
    PRICE,
    capture_request,
    captured,
    opened,
    refund_request,
    seen_until,
    void_request,
    voided,
)
from tests.gateways.disputing import accept_request, disputed, ended, evidence_request, taken_on

_DAY = 86_400.0


@pytest.fixture
async def world(sandbox_url: str) -> AsyncIterator[AdyenOutside]:
    """Adyen's sandbox with an endpoint of this test's own."""
    async with httpx.AsyncClient(timeout=30) as client, AdyenOutside(sandbox_url, client) as entered:
        yield entered


@pytest.fixture
async def adapter(world: AdyenOutside) -> AsyncIterator[Gateway]:
    """The adapter, with that endpoint's deliveries as its evidence."""
    made = world.gateway()
    yield made
    await made.close()


async def held(adapter: Gateway, world: AdyenOutside, card: str = "good") -> PaymentSnapshot:
    """A payment that its customer has paid with this card."""
    payment = await opened(adapter)
    assert payment.next_action is not None
    assert payment.next_action.url is not None
    await world.press(payment.next_action.url, "approve", card=card)
    return await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.AUTHORIZED)


async def test_notifications_come_in_batches(adapter: Gateway, world: AdyenOutside) -> None:
    """One delivery about several checkouts tells each of them its own, and nothing of the others."""
    await world.control("adyen/batch", size=3, seconds=1.5)
    try:
        payments = [await opened(adapter) for _ in range(3)]
        for payment in payments:
            await world.pay(payment)
        for payment in payments:
            now = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.AUTHORIZED)
            assert (now.reference, now.amount) == (payment.reference, PRICE)
    finally:
        await world.control("adyen/batch", size=1)
    batches = {kept.delivery.body for kept in await world.inbox.kept()}
    references = [reference for payment in payments if (reference := payment.reference)]
    assert max(sum(reference.encode() in body for reference in references) for body in batches) > 1


async def test_a_capture_fails_days_later(adapter: Gateway, world: AdyenOutside) -> None:
    """The scheme takes back what was captured: the hold stands again, the key's decline says why, a new key goes on."""
    payment = await held(adapter, world, "capture_fails")
    await captured(adapter, capture_request(payment), payment)
    await world.settle()
    failed = await seen_until(adapter, payment, lambda p: p.decline is not None)
    assert (failed.status, failed.captured) == (PaymentStatus.AUTHORIZED, PRICE.zero())
    assert failed.attempt == capture_request(payment).key
    assert failed.decline is not None
    assert (failed.decline.code, failed.decline.hard) == (DeclineCode.TRY_AGAIN_LATER, False)
    assert isinstance(await adapter.capture(capture_request(payment)), Declined)
    assert isinstance(await adapter.capture(capture_request(payment, attempt=2)), Pending)


async def test_an_approval_that_comes_after_the_void(adapter: Gateway, world: AdyenOutside) -> None:
    """Money that arrives for a link that we closed is seen as held, and a further void releases it."""
    payment = await opened(adapter)
    assert isinstance(await adapter.void(void_request(payment)), Completed)
    await world.control(f"payments/{payment.payment_id}/pay_late")
    late = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.AUTHORIZED)
    ended = await voided(adapter, void_request(late, attempt=2), late)
    assert (ended.status, ended.captured) == (PaymentStatus.CANCELED, PRICE.zero())


async def test_a_link_runs_out(adapter: Gateway, world: AdyenOutside) -> None:
    """A link that nobody paid within a day is over by itself."""
    payment = await opened(adapter)
    await world.pass_time(_DAY + 1)
    over = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.CANCELED)
    assert over.next_action is None
    answer = await adapter.void(void_request(payment))
    assert isinstance(answer, Completed)


async def test_a_hold_lapses_after_its_first_part_was_taken(adapter: Gateway, world: AdyenOutside) -> None:
    """When the rest of a hold expires, what was captured of it is still there to be given back."""
    payment = await held(adapter, world)
    await captured(adapter, capture_request(payment, Money(1000, "EUR")), payment)
    await world.pass_time(30 * _DAY)
    await world.inbox.until(lambda kept: any(k.event.type == "EXPIRE" for k in kept))
    request = refund_request(payment, Money(1000, "EUR"))
    await adapter.refund(request)
    now = await seen_until(adapter, payment, lambda p: bool(p.refunds))
    assert (now.status, now.captured) == (PaymentStatus.CAPTURED, Money(1000, "EUR"))
    assert now.refunded(RefundStatus.SUCCEEDED) == Money(1000, "EUR")


async def test_evidence_has_the_time_of_one_call(adapter: Gateway, world: AdyenOutside) -> None:
    """Calls that are slow one by one end when the time of one is over, and the whole can be sent again."""
    _, dispute = await disputed(adapter, world, "chargeback")
    for operation in ("reasons", "supply"):
        await world.control("faults", operation=f"adyen.disputes.{operation}", kind="slow", seconds=1)
    hasty = world.gateway(timeout_seconds=1.5)
    with pytest.raises(OutcomeUnknownError):
        await hasty.submit_evidence(evidence_request(dispute))
    await hasty.close()
    taken_on(await adapter.submit_evidence(evidence_request(dispute)))
    await ended(adapter, dispute, DisputeState.UNDER_REVIEW, PRICE)


async def test_money_that_comes_back_for_a_while(adapter: Gateway, world: AdyenOutside) -> None:
    """Reversed, a chargeback is under review with its money back; lost after that, the money is gone again."""
    payment, dispute = await disputed(adapter, world, "chargeback")
    await world.control(f"adyen/disputes/{dispute.dispute_id.rpartition(':')[2]}/reverse")
    await ended(adapter, dispute, DisputeState.UNDER_REVIEW, PRICE.zero())
    await world.decide(dispute.dispute_id, won=False)
    await ended(adapter, dispute, DisputeState.LOST, PRICE)
    since, until = datetime.now(UTC) - timedelta(hours=1), await world.now() + timedelta(minutes=1)
    rows = [r for r in await adapter.list_transactions(since, until) if r.reference == payment.reference]
    assert sorted(row.type for row in rows) == ["charge", "dispute", "dispute", "dispute_reversed"]
    assert len({(row.transaction_id, row.type) for row in rows}) == 4


async def test_an_inquiry_is_answered_or_given_up(adapter: Gateway, world: AdyenOutside) -> None:
    """Evidence leaves an inquiry open; unanswered it becomes a chargeback; given up it is lost with its money."""
    _, answered = await disputed(adapter, world, "inquiry")
    taken_on(await adapter.submit_evidence(evidence_request(answered)))
    await world.inbox.until(
        lambda kept: any(k.event.type == "INFORMATION_SUPPLIED" and k.event.dispute_id == answered.dispute_id
                         for k in kept)
    )  # fmt: skip
    now = await adapter.lookup_dispute(answered.dispute_id)
    assert now is not None
    assert now.state is DisputeState.INQUIRY
    await world.pass_time(15 * _DAY)
    await ended(adapter, answered, DisputeState.NEEDS_RESPONSE, PRICE)
    _, accepted = await disputed(adapter, world, "inquiry")
    taken_on(await adapter.accept_dispute(accept_request(accepted)))
    await ended(adapter, accepted, DisputeState.LOST, PRICE)


async def test_a_notification_that_lies_about_its_money_shows(adapter: Gateway, world: AdyenOutside) -> None:
    """A signed amount that is not what was asked for reaches the caller, who can compare."""
    assert adapter.capabilities.webhook_authentication is WebhookAuthentication.HMAC_FIELDS
    payment = await opened(adapter)
    await world.fault("webhook", "amount_off_by_one", payment.reference or "")
    await world.pay(payment)
    now = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.AUTHORIZED)
    assert now.amount == Money(PRICE.minor + 1, "EUR")
