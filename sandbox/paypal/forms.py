"""Multipart forms, which PayPal takes where files may come along: the JSON is their part named `input`."""

import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from sandbox.paypal.errors import invalid, refusal
from sandbox.store import Json

_TYPE = "multipart/form-data"


def document(content_type: str, body: bytes) -> Json:
    """The JSON of a form, or PayPal's refusal; files are left out."""
    if content_type.partition(";")[0].strip().lower() != _TYPE:
        raise refusal(415)
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "input":
            return _object(part.get_payload(decode=True))
    raise invalid("/input", "MISSING_REQUIRED_PARAMETER")


def _object(payload: Any) -> Json:
    try:
        found = json.loads(payload)
    except (ValueError, TypeError, RecursionError) as error:
        raise invalid("/input", "MALFORMED_REQUEST_JSON") from error
    if not isinstance(found, dict):
        raise invalid("/input", "MALFORMED_REQUEST_JSON")
    return found
