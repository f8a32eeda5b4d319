"""What every gateway does the same: its own list shows what moved, for whoever settles."""

from datetime import UTC, datetime, timedelta

from domain.money import Money
from gateways.contract import Gateway, TransactionType
from tests.gateways.checkouts import PRICE, opened, paid, refund_request, refunded
from tests.gateways.outside import Outside, needs


async def test_what_moved_is_listed(adapter: Gateway, outside: Outside) -> None:
    """Charge and refund are listed once each, with their amounts, under our payment or reference; the unpaid is not."""
    needs(outside, "transactions")
    since = min(datetime.now(UTC), await outside.now()) - timedelta(minutes=1)
    payment = await paid(adapter, outside)
    unpaid = await opened(adapter)
    request = refund_request(payment, Money(1000, "EUR"))
    await refunded(adapter, request, payment)
    if outside.transactions_lag:
        await outside.pass_time(outside.transactions_lag.total_seconds())
    rows = await adapter.list_transactions(since, await outside.now() + timedelta(minutes=1))
    names = {payment.payment_id, payment.reference, request.key}
    ours = [row for row in rows if names & {row.payment_id, row.reference}]
    assert sorted((row.type, row.amount) for row in ours) == [
        (TransactionType.CHARGE, PRICE),
        (TransactionType.REFUND, Money(1000, "EUR")),
    ]
    assert len({(row.transaction_id, row.type) for row in rows}) == len(rows)
    assert not [row for row in rows if {unpaid.payment_id, unpaid.reference} & {row.payment_id, row.reference}]
    assert [row.at for row in rows] == sorted(row.at for row in rows)


async def test_other_times_are_not_listed(adapter: Gateway, outside: Outside) -> None:
    """A time in which nothing moved lists nothing."""
    await paid(adapter, outside)
    long_ago = datetime(2024, 3, 1, tzinfo=UTC)
    assert await adapter.list_transactions(long_ago, long_ago + timedelta(days=1)) == []
