"""What every gateway does the same: its own list of what it told, which heals what never came."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.dispute import DisputeState
from domain.money import Money
from gateways.contract import Gateway, TransactionType
from tests.gateways.checkouts import PRICE, opened, paid, refund_request, refunded
from tests.gateways.disputing import disputed, ended, told_of_dispute
from tests.gateways.outside import Outside, needs

_MARGIN = timedelta(minutes=1)


async def since_now(outside: Outside) -> datetime:
    """A moment from which on everything that follows is listed, by the gateway's clock and by ours."""
    return min(datetime.now(UTC), await outside.now()) - _MARGIN


async def test_what_webhooks_told_is_listed(adapter: Gateway, outside: Outside) -> None:
    """The list has each relevant event that a webhook brought, as the same event, so that the second is dropped."""
    since = await since_now(outside)
    payment, dispute = await disputed(adapter, outside, "chargeback")
    told = {k.event.event_id: k.event for k in await told_of_dispute(outside, dispute)}
    told |= {
        k.event.event_id: k.event
        for k in await outside.inbox.kept()
        if k.event.relevant and payment.payment_id == k.event.payment_id
    }
    listed = await adapter.list_events(since, await outside.now() + _MARGIN)
    if not adapter.capabilities.lists_events:
        assert listed == []
        return
    by_id = {one.event.event_id: one for one in listed}
    assert len(by_id) == len(listed)
    assert all(one.event.relevant for one in listed)
    assert [one.event.occurred_at for one in listed] == sorted(one.event.occurred_at for one in listed)
    assert {event_id: by_id[event_id].event for event_id in told} == told
    assert all(one.body.lstrip().startswith(b"{") for one in listed)


async def test_a_lost_webhook_is_listed(adapter: Gateway, outside: Outside) -> None:
    """What never came is in the list, and leads to its payment."""
    if not adapter.capabilities.lists_events:
        pytest.skip(f"{adapter.name}: it lists no events")
    since = await since_now(outside)
    payment = await opened(adapter)
    await outside.fault("webhook", "lose", payment.reference or "", count=99)
    await outside.pay(payment)
    listed = await adapter.list_events(since, await outside.now() + _MARGIN)
    ours = [one.event for one in listed if payment.payment_id == one.event.payment_id]
    assert ours
    received = {k.event.event_id for k in await outside.inbox.kept()}
    assert not received & {event.event_id for event in ours}


async def test_other_times_have_no_events(adapter: Gateway, outside: Outside) -> None:
    """A time in which nothing happened lists nothing."""
    await paid(adapter, outside)
    ahead = await outside.now() + timedelta(days=1)
    assert await adapter.list_events(ahead, ahead + _MARGIN) == []


async def test_disputed_money_is_listed(adapter: Gateway, outside: Outside) -> None:
    """What a dispute took and what came back are rows of their own, told apart from the charge and its refund."""
    needs(outside, "transactions")
    since = await since_now(outside)
    part = Money(1500, "EUR")
    payment, dispute = await disputed(adapter, outside, "chargeback", part)
    await outside.decide(dispute.dispute_id, won=True)
    await ended(adapter, dispute, DisputeState.WON, PRICE.zero())
    request = refund_request(payment, Money(500, "EUR"))
    await refunded(adapter, request, payment)
    if outside.transactions_lag:
        await outside.pass_time(outside.transactions_lag.total_seconds())
    rows = await adapter.list_transactions(since, await outside.now() + _MARGIN)
    names = {payment.payment_id, payment.reference, request.key}
    ours = sorted((row.type, row.amount.minor) for row in rows if names & {row.payment_id, row.reference})
    assert ours == [
        (TransactionType.CHARGE, 4200),
        (TransactionType.DISPUTE, 1500),
        (TransactionType.DISPUTE_REVERSED, 1500),
        (TransactionType.REFUND, 500),
    ]
    assert len({(row.transaction_id, row.type) for row in rows}) == len(rows)
