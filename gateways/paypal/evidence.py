"""What the shop says for itself in a dispute, as PayPal takes it."""

from typing import Any

from domain.dispute import DisputeEvidence

_LONGEST_NOTES = 2000
_LONGEST_TRACKING_NUMBER = 255
# Carriers that PayPal knows by the same word everywhere; the many with a country before their name go as "other".
_CARRIERS = frozenset(
    {"AIRSURE", "DHL", "FEDEX", "PARCELFORCE", "ROYAL_MAIL", "SWIFTAIR", "TNT", "TOLL", "UPS", "USPS"}
)


def stated(evidence: DisputeEvidence) -> dict[str, Any]:
    """The body of provide-evidence: each thing said as evidence of its own type, long texts in several pieces."""
    evidences: list[dict[str, Any]] = []
    if evidence.tracking_number is not None:
        evidences.append(_fulfilment(evidence.tracking_number, evidence.tracking_carrier))
    texts = (
        ("OTHER", evidence.explanation),
        ("ITEM_DESCRIPTION", evidence.product_description),
        ("OTHER", evidence.customer_communication),
        ("RETURN_POLICY", evidence.refund_policy),
    )
    evidences += [piece for kind, text in texts for piece in _notes(kind, text or "")]
    return {"evidences": evidences}


def _fulfilment(number: str, carrier: str | None) -> dict[str, Any]:
    tracking = {"tracking_number": number[:_LONGEST_TRACKING_NUMBER], **_carrier(carrier or "unknown")}
    return {"evidence_type": "PROOF_OF_FULFILLMENT", "evidence_info": {"tracking_info": [tracking]}}


def _carrier(name: str) -> dict[str, str]:
    word = name.strip().upper().replace(" ", "_").replace("-", "_")
    if word in _CARRIERS:
        return {"carrier_name": word}
    return {"carrier_name": "OTHER", "carrier_name_other": name[:_LONGEST_NOTES]}


def _notes(kind: str, text: str) -> list[dict[str, Any]]:
    starts = range(0, len(text), _LONGEST_NOTES)
    return [{"evidence_type": kind, "notes": text[start : start + _LONGEST_NOTES]} for start in starts]
