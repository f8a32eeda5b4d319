"""PayPal's own list of what moved: its rows in our words, its windows and pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import GatewayRefusedError, OutcomeUnknownError
from gateways.contract import TransactionType
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.translate import transaction_of
from tests.gateways.paypal.examples import ORDER_ID, TEN, money, refused
from tests.gateways.scripted import ScriptedServer, answer

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def row(code: str, value: str, status: str = "S", **changes: Any) -> dict[str, Any]:
    """One row of the transaction list."""
    info = {
        "transaction_id": "T1",
        "transaction_event_code": code,
        "transaction_status": status,
        "transaction_amount": money(value),
        "transaction_initiation_date": "2026-11-22T12:00:00+0000",
        "paypal_reference_id": ORDER_ID,
        "paypal_reference_id_type": "ODR",
        "custom_field": "chk_1",
    }
    return {"transaction_info": info | changes}


@pytest.mark.parametrize(
    ("code", "value", "kind"),
    [
        ("T0006", "10.00", TransactionType.CHARGE),
        ("T0003", "10.00", TransactionType.CHARGE),
        ("T0001", "-10.00", TransactionType.OTHER),
        ("T1107", "-10.00", TransactionType.REFUND),
        ("T1106", "10.00", TransactionType.REFUND_FAILED),
        ("T1107", "10.00", TransactionType.REFUND_FAILED),
        ("T1106", "-10.00", TransactionType.DISPUTE),
        ("T1110", "-10.00", TransactionType.DISPUTE),
        ("T1111", "10.00", TransactionType.DISPUTE_REVERSED),
        ("T1201", "-10.00", TransactionType.DISPUTE),
        ("T1202", "10.00", TransactionType.DISPUTE_REVERSED),
        ("T1205", "10.00", TransactionType.DISPUTE_REVERSED),
        ("T1207", "-10.00", TransactionType.DISPUTE),
        ("T0106", "-10.00", TransactionType.OTHER),
        ("T1200", "10.00", TransactionType.OTHER),
        ("T0400", "-10.00", TransactionType.OTHER),
    ],
)
def test_rows_of_the_list(code: str, value: str, kind: TransactionType) -> None:
    """The event code and the direction tell what a row is; its amount is never negative."""
    told = transaction_of(row(code, value))
    assert told is not None
    assert (told.type, told.amount, told.at) == (kind, TEN, datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert (told.payment_id, told.reference) == (ORDER_ID, "chk_1")


def test_rows_that_name_something_else() -> None:
    """A row that refers to a transaction names no order; a refund's own reference is its key."""
    told = transaction_of(row("T1107", "-1.00", paypal_reference_id_type="TXN", custom_field="chk_1.refund.1"))
    assert told is not None
    assert (told.payment_id, told.reference) == (None, "chk_1:refund:1")
    disputed = transaction_of(row("T1110", "-1.00", paypal_reference_id_type="TXN", custom_field="chk.1"))
    assert disputed is not None
    assert (disputed.payment_id, disputed.reference) == (None, "chk.1")


@pytest.mark.parametrize("status", ["P", "D"])
def test_rows_that_moved_nothing(status: str) -> None:
    """What waits or was denied is no movement."""
    assert transaction_of(row("T0006", "10.00", status)) is None


@pytest.mark.parametrize(
    "changes", [{"transaction_id": None}, {"transaction_amount": {}}, {"transaction_status": 1}], ids=str
)
def test_a_row_that_cannot_be_read_is_unknown(changes: dict[str, Any]) -> None:
    """A list with a row that cannot be read proves nothing about what moved."""
    with pytest.raises(OutcomeUnknownError):
        transaction_of(row("T0006", "10.00", **changes))


def page(*rows: dict[str, Any], pages: Any = 1) -> bytes:
    """One page of the list."""
    return answer(200, {"transaction_details": list(rows), "total_pages": pages, "page": 1})


async def test_every_page_and_every_window_is_read(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal takes no more than 31 days at a time: longer times are asked for in parts, each page by page."""
    early, late = "2026-09-20T00:00:00Z", "2026-11-22T11:00:00Z"
    scripted.tell(
        page(row("T0006", "10.00", transaction_id="A", transaction_initiation_date=late), pages=2),
        page(row("T1107", "-10.00", transaction_id="B", transaction_initiation_date=early), pages=2),
        page(row("T0006", "10.00", transaction_id="A", transaction_initiation_date=late)),
        page(),
    )
    moved = await gateway.list_transactions(NOON - timedelta(days=70), NOON)
    assert [(m.transaction_id, m.type) for m in moved] == [("B", TransactionType.REFUND), ("A", TransactionType.CHARGE)]
    asked = [request.split(" ")[1] for request in scripted.requests]
    assert len(asked) == 4
    assert ["page=1&" in f"{path}&" for path in asked] == [True, False, True, True]
    assert "start_date=2026-09-13T12%3A00%3A00Z&end_date=2026-10-14T12%3A00%3A00Z" in asked[0]
    assert "start_date=2026-11-14T12%3A00%3A00Z&end_date=2026-11-22T12%3A00%3A00Z" in asked[3]


async def test_the_end_does_not_belong_to_the_time(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """What lies outside the time that was asked for is left out, although PayPal's seconds include both ends."""
    at = ["2026-11-22T11:59:59Z", "2026-11-22T12:00:00Z", "2026-11-22T10:59:59Z", "2026-11-22T11:00:00Z"]
    scripted.tell(page(*(row("T0006", "1.00", transaction_id=a[11:19], transaction_initiation_date=a) for a in at)))
    moved = await gateway.list_transactions(NOON - timedelta(hours=1), NOON)
    assert [m.transaction_id for m in moved] == ["11:00:00", "11:59:59"]


async def test_a_refund_and_its_return_are_two(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """A transaction id that comes back with another type is another movement."""
    scripted.tell(page(row("T1107", "-10.00"), row("T1106", "10.00"), row("T1106", "10.00")))
    moved = await gateway.list_transactions(NOON - timedelta(days=1), NOON + timedelta(seconds=1))
    assert sorted(m.type for m in moved) == [TransactionType.REFUND, TransactionType.REFUND_FAILED]


@pytest.mark.parametrize("said", [page(pages=None), page(pages=True), page(pages="2"), page(pages=21)])
async def test_a_list_that_cannot_be_read_whole_is_unknown(
    gateway: PayPalGateway, scripted: ScriptedServer, said: bytes
) -> None:
    """A list whose end is not known is not passed off as all that moved."""
    scripted.tell(said)
    with pytest.raises(OutcomeUnknownError):
        await gateway.list_transactions(NOON - timedelta(days=1), NOON)


async def test_a_list_that_paypal_refuses_is_an_error(gateway: PayPalGateway, scripted: ScriptedServer) -> None:
    """PayPal's no to the question is no decline of anything."""
    scripted.tell(refused(400, "RESULTSET_TOO_LARGE"))
    with pytest.raises(GatewayRefusedError, match="RESULTSET_TOO_LARGE"):
        await gateway.list_transactions(NOON - timedelta(days=1), NOON)
