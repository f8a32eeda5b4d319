"""The Disputes API: how a shop answers a dispute."""

import base64
import binascii
from typing import Any

from sandbox.adyen import disputes
from sandbox.adyen import fields as f
from sandbox.adyen.call import Call
from sandbox.adyen.errors import unreadable
from sandbox.adyen.gateway import AdyenGateway
from sandbox.disputes import DISPUTE
from sandbox.store import Json

_REASON, _DOCUMENT = "SupplyDefenseMaterial", "DefenseMaterial"
_CONTENT_TYPES = ("application/pdf", "image/jpeg", "image/jpg", "image/tiff")
_LARGEST_DOCUMENT = 2 * 1024 * 1024
_OVER = "This dispute is closed"
_DEFENDED = "This dispute is defended already"


def _objects(value: Any, name: str) -> list[Json]:
    if not isinstance(value, list) or any(not isinstance(item, dict) for item in value):
        raise unreadable(f"Unexpected input: field '{name}' is not a list of objects")
    return value


_COMMON: dict[str, f.Check] = {"disputePspReference": f.text(100), "merchantAccountCode": f.text(100)}
_DEFEND: dict[str, f.Check] = {**_COMMON, "defenseReasonCode": f.text(100)}
_SUPPLY: dict[str, f.Check] = {**_COMMON, "defenseDocuments": _objects}
_DOCUMENT_FIELDS: dict[str, f.Check] = {
    "content": f.text(4 * _LARGEST_DOCUMENT),
    "contentType": f.text(100),
    "defenseDocumentTypeCode": f.text(100),
}


def accept(gateway: AdyenGateway, call: Call) -> Json:
    """The shop lets the customer have the money; said again, it changes nothing."""
    dispute = _about(gateway, call, f.check(call.body, _COMMON, "AcceptDisputeRequest", tuple(_COMMON)))
    if dispute is None:
        return _refused("Dispute not found")
    if dispute["state"] in ("won", "defended"):
        return _refused(_OVER if dispute["state"] == "won" else _DEFENDED)
    if dispute["state"] != "lost":
        disputes.give_up(gateway, dispute)
    return _done()


def reasons(gateway: AdyenGateway, call: Call) -> Json:
    """What the shop can defend itself with: this sandbox's banks take one document of any content."""
    dispute = _about(gateway, call, f.check(call.body, _COMMON, "DefenseReasonsRequest", tuple(_COMMON)))
    if dispute is None:
        return _refused("Dispute not found")
    if dispute["state"] not in ("inquiry", "open", "defended"):
        return {"defenseReasons": [], **_done()}
    there = _DOCUMENT in dispute["documents"]
    wanted = {"available": there, "defenseDocumentTypeCode": _DOCUMENT, "requirementLevel": "Required"}
    reason = {"defenseReasonCode": _REASON, "satisfied": there, "defenseDocumentTypes": [wanted]}
    return {"defenseReasons": [reason], **_done()}


def supply(gateway: AdyenGateway, call: Call) -> Json:
    """The shop uploads a document; one of the same type takes the place of an earlier one."""
    given = f.check(call.body, _SUPPLY, "SupplyDefenseDocumentRequest", tuple(_SUPPLY))
    dispute = _about(gateway, call, given)
    if dispute is None:
        return _refused("Dispute not found")
    if dispute["state"] not in ("inquiry", "open", "defended"):
        return _refused(_OVER)
    for document in given["defenseDocuments"]:
        read = f.check(document, _DOCUMENT_FIELDS, "DefenseDocument", tuple(_DOCUMENT_FIELDS))
        if read["defenseDocumentTypeCode"] != _DOCUMENT or read["contentType"] not in _CONTENT_TYPES:
            return _refused("The document type is not accepted for this dispute")
        if not _is_document(read["content"], read["contentType"]):
            return _refused("The content of the document cannot be read")
        dispute["documents"][_DOCUMENT] = read["content"]
    gateway.store.put(DISPUTE, dispute, payment=dispute["link"], created=gateway.clock.now())
    return _done()


def defend(gateway: AdyenGateway, call: Call) -> Json:
    """The documents go to the bank."""
    given = f.check(call.body, _DEFEND, "DefendDisputeRequest", tuple(_DEFEND))
    dispute = _about(gateway, call, given)
    if dispute is None:
        return _refused("Dispute not found")
    if dispute["state"] not in ("inquiry", "open"):
        return _refused(_DEFENDED if dispute["state"] == "defended" else _OVER)
    if given["defenseReasonCode"] != _REASON or _DOCUMENT not in dispute["documents"]:
        return _refused("The defense reason is not satisfied")
    disputes.defend(gateway, dispute)
    return _done()


def _about(gateway: AdyenGateway, call: Call, given: Json) -> Json | None:
    dispute = gateway.store.get(DISPUTE, call.about)
    if dispute is None or gateway.payment(dispute["payment"])["merchantAccount"] != given["merchantAccountCode"]:
        return None
    return dispute


def _is_document(content: str, kind: str) -> bool:
    try:
        raw = base64.b64decode(content, validate=True)
    except binascii.Error:
        return False
    return 0 < len(raw) <= _LARGEST_DOCUMENT and (kind != "application/pdf" or raw.startswith(b"%PDF-"))


def _done() -> Json:
    return {"disputeServiceResult": {"success": True}}


def _refused(message: str) -> Json:
    return {"disputeServiceResult": {"errorMessage": message, "success": False}}
