"""What is written: the words of each mail, in plain and in HTML, whatever an event may hold."""

import email
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from config.environment import SettingsError
from events.contract import Event
from events.subscribers.contract import PoisonError
from events.subscribers.notifications.addresses import configured, recipient
from events.subscribers.notifications.composing import message_of
from events.subscribers.notifications.letters import Letter, dispute, receipt, refund

SHOP = configured("MAIL_FROM", "Mug & Sons <mail@shop.example>")
ADA = recipient("ada@customer.example")
AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
ID = "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P"
DISPUTED = {
    "dispute_id": "dsp_4KcT9rXbQ2mJ7vNz1Ws8LhP3",
    "state": "needs_response",
    "amount": 4200,
    "currency": "USD",
    "reason": "product_not_received",
    "respond_by": "2026-05-20T00:00:00Z",
}
HOSTILE = "x\r\nBcc: eve@evil.example\r\n\r\n<script>alert(1)</script>\u202e"


def event(**data: Any) -> Event:
    """An event about a sale of 42 dollars, with these members changed."""
    payload = {
        "checkout_id": ID,
        "order_id": "order-1001",
        "state": "completed",
        "amount": 4200,
        "currency": "USD",
        "gateway": "stripe",
        "amount_captured": 4200,
        "amount_refunded": 0,
        "details": {},
    }
    return Event(f"{ID}:7", "payment.succeeded", ID, 7, AT, payload | data)


def message(letter: Letter | None, event_id: str = f"{ID}:7") -> EmailMessage:
    """The mail as its reader gets it: written out and read again."""
    assert letter is not None
    read = email.message_from_bytes(message_of(letter, event_id, SHOP, ADA).as_bytes(), policy=default)
    assert isinstance(read, EmailMessage)
    return read


def texts(mail: EmailMessage) -> tuple[str, str]:
    """The plain text and the HTML."""
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


def test_a_receipt_says_what_was_paid() -> None:
    """Order, amount, moment, payment are in both texts; the headers say who writes, and that it is a machine."""
    mail = message(receipt(event()))
    assert mail.get_content_type() == "multipart/alternative"
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("Receipt for order order-1001: 42.00 USD", "auto-generated")
    assert (mail["From"], mail["To"]) == ("Mug & Sons <mail@shop.example>", "ada@customer.example")
    for text in texts(mail):
        assert all(word in text for word in ("order-1001", "42.00 USD", "2026-05-06 07:08 UTC", ID))
        assert "charged" not in text


def test_a_receipt_of_a_part_says_so() -> None:
    """What was taken is less than what was ordered."""
    for text in texts(message(receipt(event(amount_captured=1500)))):
        assert all(word in text for word in ("15.00 USD", "42.00 USD", "Only what is named as paid was charged"))


def test_of_nothing_there_is_no_receipt() -> None:
    """A payment that the books have nothing of."""
    assert receipt(event(amount_captured=0)) is None


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(4200, "JPY", "4200 JPY"), (4205, "KWD", "4.205 KWD"), (5, "EUR", "0.05 EUR"), (12345, "CLF", "1.2345 CLF")],
)
def test_amounts_have_the_digits_of_their_currency(minor: int, currency: str, shown: str) -> None:
    """Yen have none, dinars three."""
    mail = message(receipt(event(amount=minor, amount_captured=minor, currency=currency)))
    assert mail["Subject"] == f"Receipt for order order-1001: {shown}"
    assert all(shown in text for text in texts(mail))


@pytest.mark.parametrize("details", [{"amount": 1200, "currency": "USD"}, {"refunded": 1200, "captured": 4200}])
def test_a_refund_says_what_went_back(details: dict[str, object]) -> None:
    """The refund's own amount, or the sum where a sale was undone; never the total of all refunds."""
    mail = message(refund(event(details=details, amount_refunded=3000)))
    assert mail["Subject"] == "Refund for order order-1001: 12.00 USD"
    for text in texts(mail):
        assert "12.00 USD" in text
        assert "30.00" not in text


def test_a_dispute_tells_the_shop_what_to_do_until_when() -> None:
    """Reason, date, gateway and ids; an inquiry is called one."""
    mail = message(dispute(event(details=DISPUTED)))
    assert mail["Subject"] == "Dispute over 42.00 USD for order order-1001"
    for text in texts(mail):
        assert "A payment is disputed" in text
        assert all(str(DISPUTED[name]) in text for name in ("reason", "respond_by", "dispute_id"))
    asked = texts(message(dispute(event(details=DISPUTED | {"state": "inquiry", "respond_by": None}))))
    assert all("A bank asks about a payment" in text and "Answer by" not in text for text in asked)


@pytest.mark.parametrize(
    "letter",
    [
        receipt(event(order_id=HOSTILE)),
        refund(event(order_id=HOSTILE, details={"amount": 1})),
        dispute(
            event(order_id=HOSTILE, gateway=HOSTILE, details=DISPUTED | {"reason": HOSTILE, "respond_by": HOSTILE})
        ),
        receipt(event(checkout_id=HOSTILE)),
    ],
)
def test_no_text_of_others_becomes_a_header_or_markup(letter: Letter) -> None:
    """Line breaks are gone, markup is shown as text, and nobody else is written to."""
    mail = message(letter)
    assert sorted(mail.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert (mail["To"], mail["Bcc"]) == ("ada@customer.example", None)
    plain, html = texts(mail)
    assert "\u202e" not in plain + html + mail["Subject"]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert not any(line.startswith("Bcc:") for line in plain.splitlines())


@pytest.mark.parametrize("event_id", [f"{ID}:7", "x\r\nBcc: eve@evil.example", "a b<c>@d", "ä", "x" * 200])
def test_a_mail_has_the_id_of_its_event(event_id: str) -> None:
    """The same each time, another for another event, one word without a space, at the shop's domain."""
    once, again = (message(receipt(event()), event_id)["Message-ID"] for _ in range(2))
    assert once == again
    assert once.startswith("<")
    assert once.endswith("@shop.example>")
    assert once.isascii()
    assert not set(once[1:-1]) & set(" <>\r\n")
    assert message(receipt(event()), event_id + "0")["Message-ID"] != once


@pytest.mark.parametrize(
    "data",
    [
        {"amount_captured": "4200"},
        {"amount_captured": True},
        {"amount_captured": -1},
        {"amount_captured": 1.5},
        {"currency": "usd"},
        {"currency": None},
        {"order_id": ""},
        {"order_id": 7},
    ],
)
def test_a_receipt_that_cannot_be_right_is_poison(data: dict[str, object]) -> None:
    """No customer gets a mail about an amount that is none."""
    with pytest.raises(PoisonError):
        receipt(event(**data))


@pytest.mark.parametrize("details", [None, [], {}, {"amount": "1200"}, {"refunded": True}])
def test_a_refund_without_an_amount_is_poison(details: object) -> None:
    """Nor one about a refund that nobody knows the amount of."""
    with pytest.raises(PoisonError):
        refund(event(details=details))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@shop.example",
        "ada@shop.example\r\nBcc: eve@evil.example",
        "ada@shop.example\n",
        "ada@shop.example, eve@evil.example",
        "ada@shop.example eve@evil.example",
        "Ada <ada@shop.example>",
        '"ada\r\nRCPT TO:<eve@evil.example>"@shop.example',
        "ada@shop.example> SIZE=1",
        "ada@shop.example;eve@evil.example",
        "ada\x00@shop.example",
    ],
)
def test_a_hostile_address_is_none(text: str) -> None:
    """Nothing is made of it: no header, no command; and the complaint does not repeat it."""
    with pytest.raises(PoisonError) as caught:
        recipient(text)
    assert "@" not in str(caught.value)


def test_addresses_are_plain_where_they_can_be() -> None:
    """A domain in another script has a plain form; a name before the @ has none."""
    assert recipient("ada@bücher.example").addr_spec == "ada@xn--bcher-kva.example"
    assert recipient("jürgen@shop.example").addr_spec == "jürgen@shop.example"


def test_a_setting_may_name_who_writes() -> None:
    """With a name, quoted or not, or without; what cannot be meant is refused with the variable's name."""
    assert configured("MAIL_FROM", "Müller & Co. <a@b.example>") == Address("Müller & Co.", "a", "b.example")
    assert configured("MAIL_FROM", '"Ada, the 1st" <a@b.example>') == Address("Ada, the 1st", "a", "b.example")
    assert configured("MAIL_SHOP", " ops@mail ") == Address("", "ops", "mail")
    for wrong in ("", "shop", "<a@b.example", "a@b.example>", "a@b.example, c@d.example", "A\nB <a@b.example>"):
        with pytest.raises(SettingsError, match="MAIL_SHOP"):
            configured("MAIL_SHOP", wrong)
