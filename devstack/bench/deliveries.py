"""Signed webhooks of every gateway, made beforehand: distinct events of types that are stored and need no dispatch.

Dispatched ones would set the dispatcher to work beside the measurement. Each is signed here, not by the sandbox's code,
as its gateway documents it.
"""

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

from devstack.bench.field import Field

Signed = tuple[bytes, dict[str, str]]
Maker = Callable[[], Signed]
_CAPITALS = string.ascii_uppercase + string.digits
_JSON = {"Content-Type": "application/json"}


def _stripe(field: Field, secret: str) -> Maker:
    """A secret over the whole body."""
    event = {
        "object": "event",
        "api_version": "2026-10-28.endive",
        "type": "payment_intent.created",
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": f"req_{_word(14)}", "idempotency_key": None},
        "data": {"object": {"id": f"pi_{_word(24)}", "object": "payment_intent", "amount": 4200, "currency": "usd"}},
    }

    def make() -> Signed:
        now = int(time.time())
        body = json.dumps(event | {"id": f"evt_{_word(24)}", "created": now}).encode()
        signature = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
        return body, _JSON | {"Stripe-Signature": f"t={now},v1={signature}"}

    return make


def _adyen(field: Field, secret: str) -> Maker:
    """A secret over eight fields."""
    account, key = field.stack.environment["ADYEN_MERCHANT_ACCOUNT"], bytes.fromhex(secret)

    def make() -> Signed:
        reference, code = _word(16), "REPORT_AVAILABLE"
        signed = ":".join((reference, "", account, "", "0", "EUR", code, "true")).encode()
        item = {
            "pspReference": reference,
            "merchantAccountCode": account,
            "merchantReference": "",
            "amount": {"value": 0, "currency": "EUR"},
            "eventCode": code,
            "eventDate": datetime.now(UTC).isoformat(timespec="seconds"),
            "success": "true",
            "reason": "https://ca-test.adyen.com/reports/settlement_detail_report_batch_1.csv",
            "additionalData": {
                "hmacSignature": base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
            },
        }
        return json.dumps({"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}).encode(), _JSON

    return make


def _paypal(field: Field, secret: str) -> Maker:
    """A certificate over a checksum of the body; the sandbox's key, which it keeps with its data."""
    folder = field.stack.options.layout.sandbox
    key = _private_key(folder / "paypal-key.pem")
    leaf = load_pem_x509_certificate((folder / "paypal-chain.pem").read_bytes())
    name = f"CERT-{leaf.fingerprint(hashes.SHA256()).hex()[:16]}"
    headers = _JSON | {
        "PayPal-Auth-Algo": "SHA256withRSA",
        "PayPal-Cert-Url": f"{field.stack.environment['PAYPAL_API_BASE']}/v1/notifications/certs/{name}",
    }
    event = {
        "event_version": "1.0",
        "resource_type": "merchant-onboarding",
        "event_type": "MERCHANT.ONBOARDING.COMPLETED",
        "summary": "Merchant onboarding completed",
        "resource": {"merchant_id": _word(13), "partner_client_id": _word(40)},
    }

    def make() -> Signed:
        sent, transmission = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", str(uuid4())
        body = json.dumps(event | {"id": f"WH-{_word(17)}-{_word(17)}", "create_time": sent}).encode()
        signed = f"{transmission}|{sent}|{secret}|{zlib.crc32(body)}".encode()
        signature = base64.b64encode(key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()
        proof = {"Transmission-Id": transmission, "Transmission-Time": sent, "Transmission-Sig": signature}
        return body, headers | {f"PayPal-{name}": value for name, value in proof.items()}

    return make


def _private_key(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey), "PayPal signs with RSA"
    return key


def _word(length: int) -> str:
    return "".join(secrets.choice(_CAPITALS) for _ in range(length))


_MAKERS: Mapping[str, Callable[[Field, str], Maker]] = {"stripe": _stripe, "paypal": _paypal, "adyen": _adyen}


def makers(field: Field) -> dict[str, Maker]:
    """By gateway, what makes one more delivery."""
    return {name: _MAKERS[name](field, secret) for name, secret in field.stack.webhook_secrets.items()}
