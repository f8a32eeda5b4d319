"""The notifications subscriber on a real API and a real mail server: who is written to, about what, and when not."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from devstack.ports import HOST
from domain.checkout import CheckoutStatus
from domain.states import CheckoutState as S
from domain.timeline import Entry
from events.contract import Event, event_id
from events.subscribers.contract import PoisonError, TryLaterError
from events.subscribers.notifications.addresses import configured
from events.subscribers.notifications.mailer import Mailer, MailServer
from events.subscribers.notifications.subscriber import Notifications
from events.subscribers.shop_api import ShopApi
from tests.api.conftest import Api, bearer, serving
from tests.events.subscribers.postbox import Postbox

AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
ADA = {"customer": {"email": "ada@customer.example"}}
TENDERS = [{"gateway": "stripe", "amount": 3000}, {"gateway": "stripe", "amount": 1200}]


@pytest.fixture(scope="session")
async def running(database_url: str) -> AsyncIterator[Api]:
    """One API for this file."""
    async with serving(database_url) as api:
        yield api


@pytest.fixture
async def notifications(running: Api, postbox: Postbox) -> AsyncIterator[Notifications]:
    """The subscriber, with a key that may read and write to customers."""
    headers = bearer(await running.key("read", "customers"))
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=30) as client:
        mailer = Mailer(MailServer(HOST, postbox.port, tls=False), step_seconds=1)
        shop = configured("MAIL_FROM", "Mugs <mail@shop.example>")
        yield Notifications(ShopApi(client), mailer, shop, configured("MAIL_SHOP", "disputes@shop.example"))


def event(checkout: dict[str, Any], type_: str, state: str, **data: Any) -> Event:
    """An event about the checkout or one of its tenders."""
    payload = {
        "checkout_id": checkout["id"],
        "order_id": "order-1001",
        "state": state,
        "amount": 4200,
        "currency": "USD",
        "gateway": "stripe",
        "amount_captured": 4200,
        "amount_refunded": 0,
        "details": {},
    }
    return Event(event_id(checkout["id"], 7), type_, checkout["id"], 5, AT, payload | data)


async def created(running: Api, **body: Any) -> dict[str, Any]:
    """A checkout of Ada's."""
    made: dict[str, Any] = (await running.create(**ADA | body)).json()
    return made


async def test_a_payment_brings_its_customer_a_receipt(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """To the address that only the API knows; heard twice, it is the same mail to its reader."""
    paid = event(await created(running), "payment.succeeded", "paid")
    await notifications.handle(paid)
    await notifications.handle(paid)
    first, second = postbox.mails()
    assert (first["Delivered-To"], first["Subject"]) == (
        "ada@customer.example",
        "Receipt for order order-1001: 42.00 USD",
    )
    assert first["Message-ID"] == second["Message-ID"] == f"<{paid.subject}%3A7@shop.example>"


async def test_a_refund_brings_its_customer_a_mail(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """About what went back this time."""
    made = await created(running)
    await notifications.handle(event(made, "refund.succeeded", "completed", details={"amount": 1200}))
    assert [mail["Subject"] for mail in postbox.mails()] == ["Refund for order order-1001: 12.00 USD"]


async def test_a_dispute_is_the_shops_matter(running: Api, notifications: Notifications, postbox: Postbox) -> None:
    """The shop is written to, the customer is not, and nobody is asked for an address."""
    made = {"id": "chk_" + "0" * 24}
    await notifications.handle(event(made, "dispute.opened", "completed", details={"amount": 4200}))
    assert [(mail["To"], mail["Delivered-To"]) for mail in postbox.mails()] == [("disputes@shop.example",) * 2]


async def test_a_customer_without_an_address_is_not_written_to(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """It is done all the same, and so is a payment of nothing."""
    made = (await running.create()).json()
    await notifications.handle(event(made, "payment.succeeded", "paid"))
    await notifications.handle(event(await created(running), "payment.succeeded", "paid", amount_captured=0))
    assert postbox.mails() == []


async def test_an_order_in_tenders_has_one_receipt(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """The tenders' payments bring none; the whole brings one over all of it."""
    made = await created(running, tenders=TENDERS)
    for tender in made["tenders"]:
        await notifications.handle(event(tender, "payment.succeeded", "paid", parent_id=made["id"]))
    assert postbox.mails() == []
    await notifications.handle(event(made, "payment.succeeded", "paid", gateway="split"))
    assert [mail["Subject"] for mail in postbox.mails()] == ["Receipt for order order-1001: 42.00 USD"]


async def test_a_refund_of_one_tender_is_told_with_its_own_amount(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """The shop gives back a part of the sale: the mail goes to the customer of the whole."""
    made = await created(running, tenders=TENDERS)
    refunded = event(made["tenders"][0], "refund.succeeded", "completed", parent_id=made["id"], details={"amount": 700})
    await notifications.handle(refunded)
    assert [(mail["Delivered-To"], mail["Subject"]) for mail in postbox.mails()] == [
        ("ada@customer.example", "Refund for order order-1001: 7.00 USD")
    ]


@pytest.mark.parametrize(("whole", "mails"), [(S.REFUNDING, 0), (S.REFUNDED, 0), (S.EXPIRED, 1), (S.CANCELED, 1)])
async def test_a_sale_that_is_undone_is_told_once(
    running: Api, notifications: Notifications, postbox: Postbox, whole: S, mails: int
) -> None:
    """Where the whole tells of it the tenders do not; late money after an end is told by the tender it came to."""
    made = await created(running, tenders=TENDERS)
    path = (S.PAID, S.REFUNDING, S.REFUNDED) if whole is S.REFUNDED else (whole,)
    for state in path if whole is not S.REFUNDING else (S.PAID, S.REFUNDING):
        await running.services.books.append(made["id"], [Entry(str(state), CheckoutStatus(state), "api", AT)])
    refunded = event(
        made["tenders"][0], "refund.succeeded", "refunded", parent_id=made["id"], details={"refunded": 700}
    )
    await notifications.handle(refunded)
    assert len(postbox.mails()) == mails


async def test_a_server_that_is_down_loses_no_mail(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """Busy, gone in the middle, too slow: each time later, and then it arrives once."""
    paid = event(await created(running), "payment.succeeded", "paid")
    for behaviour in ("answer 451", "drop", "slow 30"):
        postbox.told(behaviour)
        with pytest.raises(TryLaterError):
            await notifications.handle(paid)
    postbox.told("")
    await notifications.handle(paid)
    assert len(postbox.mails()) == 1


async def test_a_recipient_that_is_refused_is_a_dead_letter(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """Nothing is gained by trying again; the next customer's mail goes out."""
    postbox.told("answer 550")
    with pytest.raises(PoisonError, match="550"):
        await notifications.handle(event(await created(running), "payment.succeeded", "paid"))


async def test_of_a_checkout_that_nobody_knows_there_is_no_mail(notifications: Notifications) -> None:
    """A person looks at the event."""
    with pytest.raises(PoisonError, match="checkout_not_found"):
        await notifications.handle(event({"id": "chk_" + "0" * 24}, "payment.succeeded", "paid"))


async def test_a_hostile_order_reaches_its_own_customer_alone(
    running: Api, notifications: Notifications, postbox: Postbox
) -> None:
    """Whatever the order is called: one mail, one recipient, one subject."""
    hostile = "x\r\nBcc: eve@evil.example\r\nTo: eve@evil.example"
    await notifications.handle(event(await created(running), "payment.succeeded", "paid", order_id=hostile))
    (mail,) = postbox.mails()
    assert (mail.get_all("To"), mail.get_all("Delivered-To")) == (["ada@customer.example"],) * 2
    assert (mail["Bcc"], len(mail.get_all("Subject") or [])) == (None, 1)
