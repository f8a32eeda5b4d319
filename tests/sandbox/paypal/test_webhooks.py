"""Webhooks: signed as PayPal signs, checked offline with the certificates alone, and wrong where that was asked for."""

import base64
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.verification import PolicyBuilder, Store

from tests.sandbox.paypal.conftest import opened
from tests.sandbox.paypal.support import Shop, heard, money, types
from tests.sandbox.support import Received, Receiver, Sandbox, eventually

ORDERS, HOLDS, CAPTURES = "/v2/checkout/orders", "/v2/payments/authorizations", "/v2/payments/captures"


async def _verify(one: Received, shop: Shop, webhook: str) -> None:
    """Check a delivery as a receiver does that trusts nothing but the root it was given."""
    chain_pem = (await shop.client.get(one.headers["paypal-cert-url"])).content
    leaf, *others = x509.load_pem_x509_certificates(chain_pem)
    root_pem = (await shop.client.get(f"{shop.sandbox.url}/sandbox/paypal/ca.pem")).content
    store = Store([x509.load_pem_x509_certificate(root_pem)])
    name = x509.DNSName("messageverificationcerts.paypal.com")
    PolicyBuilder().store(store).time(datetime.now(UTC)).build_server_verifier(name).verify(leaf, others)
    parts = [one.headers["paypal-transmission-id"], one.headers["paypal-transmission-time"], webhook]
    signed = "|".join([*parts, str(zlib.crc32(one.body))]).encode()
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = base64.b64decode(one.headers["paypal-transmission-sig"])
    key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


async def test_signed_as_paypal_signs(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """Approval and capture arrive with a signature that the chain to our root proves, for this webhook only."""
    order, taken = await shop.captured()
    await eventually(lambda: len(heard(receiver, order)) == 2)
    assert sorted(types(receiver, order)) == ["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED"]
    for one in heard(receiver, order):
        assert one.headers["paypal-auth-algo"] == "SHA256withRSA"
        await _verify(one, shop, webhook)
        with pytest.raises(InvalidSignature):
            await _verify(one, shop, "OTHERWEBHOOKID000")
    (event,) = [one.event for one in heard(receiver, order) if one.event["resource_type"] == "capture"]
    assert (event["resource"]["id"], event["event_version"], event["resource_version"]) == (taken["id"], "1.0", "2.0")


async def test_events_of_a_hold_and_its_refunds(own: Shop, receiver: Receiver) -> None:
    """Every change of a hold, a capture and a refund is told under PayPal's names."""
    body = {"url": receiver.url, "event_types": [{"name": "*"}]}
    await own.client.post("/v1/notifications/webhooks", json=body)
    order, hold = await own.held("refund_fails")
    taken = await own.post(f"{HOLDS}/{hold['id']}/capture", {"amount": money("20.00")})
    await own.post(f"{HOLDS}/{hold['id']}/void")
    await own.post(f"{CAPTURES}/{taken.json()['id']}/refund")
    await own.control("settle")
    expected = {
        "CHECKOUT.ORDER.APPROVED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "PAYMENT.AUTHORIZATION.VOIDED",
        "PAYMENT.CAPTURE.COMPLETED",
        "PAYMENT.REFUND.FAILED",
        "PAYMENT.REFUND.PENDING",
    }
    await eventually(lambda: set(types(receiver, order, own.checkout)) == expected)


@pytest.mark.parametrize(
    ("funding", "later"),
    [
        ("capture_pending", "PAYMENT.CAPTURE.COMPLETED"),
        ("capture_pending_declined", "PAYMENT.CAPTURE.DECLINED"),
    ],
)
async def test_events_of_a_pending_capture(own: Shop, receiver: Receiver, funding: str, later: str) -> None:
    """A pending capture is told of, and how it ended."""
    body = {"url": receiver.url, "event_types": [{"name": "PAYMENT.CAPTURE.PENDING"}, {"name": later}]}
    await own.client.post("/v1/notifications/webhooks", json=body)
    order, _ = await own.captured(funding)
    await eventually(lambda: types(receiver, order) == ["PAYMENT.CAPTURE.PENDING"])
    await own.control("settle")
    await eventually(lambda: types(receiver, order) == ["PAYMENT.CAPTURE.PENDING", later])


async def test_completed_refund_is_told_as_a_refunded_capture(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """A refund that is done at once is PAYMENT.CAPTURE.REFUNDED, about the refund, which names its capture."""
    _, taken = await shop.captured()
    await shop.post(f"{CAPTURES}/{taken['id']}/refund")
    (one,) = await eventually(lambda: heard(receiver, shop.checkout))
    assert (one.event["event_type"], one.event["resource_type"]) == ("PAYMENT.CAPTURE.REFUNDED", "refund")
    (up,) = [link["href"] for link in one.event["resource"]["links"] if link["rel"] == "up"]
    assert up.endswith(f"{CAPTURES}/{taken['id']}")
    await _verify(one, shop, webhook)


async def test_retries_and_duplicates_are_one_transmission(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """An event keeps its transmission id over refused attempts, duplicates and a resend."""
    receiver.statuses = [500]
    await shop.fault("webhook", "duplicate", gateway="paypal")
    order = await shop.approved()
    await eventually(lambda: len(heard(receiver, order)) == 3)
    assert (await shop.control(f"payments/{order}/resend"))["endpoints"] == [webhook]
    await eventually(lambda: len(heard(receiver, order)) == 4)
    assert len({one.headers["paypal-transmission-id"] for one in heard(receiver, order)}) == 1
    assert len({one.event["id"] for one in heard(receiver, order)}) == 1


async def test_forged_webhooks_do_not_verify(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """A forged delivery comes besides the real one and fails the check."""
    await shop.fault("webhook", "forge")
    order = await shop.approved()
    await eventually(lambda: len(heard(receiver, order)) == 2)
    good = 0
    for one in heard(receiver, order):
        try:
            await _verify(one, shop, webhook)
            good += 1
        except InvalidSignature:
            pass
    assert good == 1


async def test_lost_and_listed(shop: Shop, receiver: Receiver, webhook: str) -> None:
    """A lost event never arrives; the deliveries of a payment can be listed, and other gateways have none of it."""
    await shop.fault("webhook", "lose", event_type="CHECKOUT.ORDER.APPROVED")
    order, _ = await shop.captured()
    await eventually(lambda: types(receiver, order) == ["PAYMENT.CAPTURE.COMPLETED"])
    async with shop.sandbox.browser() as browser:
        rows = (await browser.get("/sandbox/deliveries", params={"payment": order})).json()["data"]
        other = await browser.get("/sandbox/deliveries", params={"payment": order, "gateway": "stripe"})
    assert {row["event_type"]: row["state"] for row in rows if row["endpoint"] == webhook} == {
        "CHECKOUT.ORDER.APPROVED": "lost",
        "PAYMENT.CAPTURE.COMPLETED": "delivered",
    }
    assert {row["gateway"] for row in rows} == {"paypal"}
    assert other.json()["data"] == []


async def test_webhook_from_the_settings(tmp_path: Path, receiver: Receiver, checkout: str) -> None:
    """An endpoint named at the start hears under the id given; the announced root outlives a restart."""
    settings = {"SANDBOX_PAYPAL_WEBHOOK_URL": receiver.url, "SANDBOX_PAYPAL_WEBHOOK_ID": "WEBHOOK0FROM0SETT"}
    sandbox = await Sandbox(tmp_path, settings).start()
    announced = json.loads((tmp_path / "announce.json").read_text())["paypal_ca"]
    root = Path(announced).read_bytes()
    async with opened(sandbox, checkout) as shop:
        order = await shop.approved()
        (one,) = await eventually(lambda: heard(receiver, order))
        await _verify(one, shop, "WEBHOOK0FROM0SETT")
        assert one.headers["paypal-cert-url"].startswith(f"{sandbox.url}/paypal/v1/notifications/certs/")
    await sandbox.stop()
    await sandbox.start()
    assert Path(announced).read_bytes() == root
    await sandbox.stop()


async def test_addresses_are_those_of_who_asks(tmp_path: Path, receiver: Receiver, checkout: str) -> None:
    """Links and certificates are where the shop found the API, the page where the payer's browser finds it."""
    settings = {"SANDBOX_PAYPAL_WEBHOOK_URL": receiver.url, "SANDBOX_PUBLIC_URL": "https://pay.example.com"}
    sandbox = await Sandbox(tmp_path, settings).start()
    async with opened(sandbox, checkout) as shop:
        shop.client.headers["Host"] = "sandbox.internal:8090"
        order = await shop.open()
        links = {link["rel"]: link["href"] for link in (await shop.read(f"{ORDERS}/{order}"))["links"]}
        assert links["payer-action"] == f"https://pay.example.com/paypal/approve/{order}"
        assert links["self"] == f"http://sandbox.internal:8090/paypal{ORDERS}/{order}"
        await shop.pay_page(order)
        (one,) = await eventually(lambda: heard(receiver, order))
        folder = "http://sandbox.internal:8090/paypal/v1/notifications/certs/"
        assert one.headers["paypal-cert-url"].startswith(folder)
    await sandbox.stop()
