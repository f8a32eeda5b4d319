"""A dispute as JSON, with every field the API version in use sends."""

from sandbox.ids import new_id
from sandbox.store import Json

_EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal "
    "customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt "
    "refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number "
    "uncategorized_file uncategorized_text"
)
EVIDENCE = tuple(_EVIDENCE.split())
"""What a dispute can be answered with."""
FILES = frozenset(
    {
        *("cancellation_policy", "customer_communication", "customer_signature", "duplicate_charge_documentation"),
        *("receipt", "refund_policy", "service_documentation", "shipping_documentation", "uncategorized_file"),
    }
)
"""Those that take the id of an uploaded file, not a text."""
_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1"}


def new_dispute(charge_object: Json, amount: int, reason: str, status: str, due_by: int, created: int) -> Json:
    """A dispute of a card's charge; the caller withdraws the money."""
    inquiry = status.startswith("warning_")
    brand = charge_object["payment_method_details"]["card"]["brand"]
    case = {"brand": brand, "case_type": "inquiry" if inquiry else "chargeback", "network": brand}
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge_object["id"],
        "created": created,
        "currency": charge_object["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": due_by,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge_object["payment_intent"],
        "payment_method_details": {
            "card": {**case, "network_reason_code": _NETWORK_REASONS.get(reason, "10")},
            "type": "card",
        },
        "reason": reason,
        "status": status,
    }
