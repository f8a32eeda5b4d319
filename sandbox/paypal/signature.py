"""Webhooks signed as PayPal signs them: over ids, a time and a CRC32 of the body, with a certificate behind it."""

import base64
import json
import zlib
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from sandbox.ids import CAPITALS_AND_DIGITS, random_text
from sandbox.paypal.certificates import Certificates, new_key, sign
from sandbox.webhooks.deliveries import Letter, Variant

_HEADERS = {
    "User-Agent": "PayPal/AUHD-214.0-58843300",
    "Content-Type": "application/json",
    "Accept": "*/*",
    "PAYPAL-AUTH-ALGO": "SHA256withRSA",
    "PAYPAL-AUTH-VERSION": "v2",
}


def signed_text(transmission_id: str, time: str, webhook_id: str, body: bytes) -> bytes:
    """What the signature covers; of the body it is a checksum only."""
    return f"{transmission_id}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()


def letter(body: bytes, webhook_id: str, certificates: Certificates, api_url: str | None, variant: Variant) -> Letter:
    """One event as it is posted; a forged one has an id of its own and is signed with a key nobody knows.

    The certificate is said to be where the shop found the API that the event's own links name, unless told otherwise.
    """
    event = json.loads(body)
    found_at = event["links"][0]["href"].partition("/v1/")[0] if api_url is None else api_url
    if variant == "forged":
        event["id"] = f"WH-{random_text(17, CAPITALS_AND_DIGITS)}-{random_text(17, CAPITALS_AND_DIGITS)}"
        body = json.dumps(event).encode()
    # One transmission keeps its id over all its attempts; the time is the machine's, which receivers compare with.
    transmission_id = str(uuid5(NAMESPACE_URL, f"{webhook_id}/{event['id']}"))
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = signed_text(transmission_id, time, webhook_id, body)
    signature = sign(new_key(), text) if variant == "forged" else certificates.sign(text)
    headers = {
        **_HEADERS,
        "PAYPAL-TRANSMISSION-ID": transmission_id,
        "PAYPAL-TRANSMISSION-TIME": time,
        "PAYPAL-TRANSMISSION-SIG": base64.b64encode(signature).decode(),
        "PAYPAL-CERT-URL": f"{found_at}/v1/notifications/certs/{certificates.id}",
    }
    return Letter(headers, body)
