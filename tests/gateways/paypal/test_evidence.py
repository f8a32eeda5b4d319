"""What the shop says for itself, as PayPal's evidence: whole, and of the kinds that PayPal knows."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from domain.dispute import DisputeEvidence
from gateways.paypal.evidence import stated

SPECIFICATION = Path(__file__).parents[3].parent / "shared" / "specs" / "paypal-customer_disputes_v1.json"
FULL = DisputeEvidence(
    explanation="It was delivered.",
    product_description="A lamp",
    tracking_carrier="Royal Mail",
    tracking_number="JD0146000033",
    customer_communication="They thanked us.",
    refund_policy="Within 30 days.",
)


def test_each_thing_is_evidence_of_its_kind() -> None:
    """Tracking proves the fulfilment, and every text goes in under its own name."""
    tracking = {"carrier_name": "ROYAL_MAIL", "tracking_number": "JD0146000033"}
    assert stated(FULL)["evidences"] == [
        {"evidence_type": "PROOF_OF_FULFILLMENT", "evidence_info": {"tracking_info": [tracking]}},
        {"evidence_type": "OTHER", "notes": "It was delivered."},
        {"evidence_type": "ITEM_DESCRIPTION", "notes": "A lamp"},
        {"evidence_type": "OTHER", "notes": "They thanked us."},
        {"evidence_type": "RETURN_POLICY", "notes": "Within 30 days."},
    ]


def test_what_is_not_said_is_no_evidence() -> None:
    """Only the explanation has to be there."""
    assert stated(DisputeEvidence("No.")) == {"evidences": [{"evidence_type": "OTHER", "notes": "No."}]}


@pytest.mark.parametrize(
    ("name", "known"),
    [("DHL", "DHL"), ("fedex", "FEDEX"), (" Royal-Mail ", "ROYAL_MAIL"), ("Pigeons", None), (None, None)],
)
def test_carriers(name: str | None, known: str | None) -> None:
    """A carrier that PayPal knows goes by its word, any other by its name."""
    said = stated(DisputeEvidence("No.", tracking_carrier=name, tracking_number="1"))["evidences"][0]
    (tracking,) = said["evidence_info"]["tracking_info"]
    assert tracking["carrier_name"] == (known or "OTHER")
    assert tracking.get("carrier_name_other") == (None if known else name or "unknown")


def test_long_texts_go_in_whole() -> None:
    """PayPal takes two thousand characters at once, so a longer text goes in as several."""
    text = "".join(chr(ord("a") + number % 26) for number in range(4500))
    notes = [each["notes"] for each in stated(DisputeEvidence(text))["evidences"]]
    assert [len(note) for note in notes] == [2000, 2000, 500]
    assert "".join(notes) == text


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="PayPal's published specifications are not here")
def test_evidence_fits_paypals_schema() -> None:
    """Every piece is one that PayPal's description of its API allows."""
    spec: dict[str, Any] = json.loads(SPECIFICATION.read_text())
    schema = {"$ref": "#/components/schemas/evidence", "components": spec["components"]}
    for piece in stated(FULL)["evidences"] + stated(DisputeEvidence("x" * 9000, tracking_number="1"))["evidences"]:
        Draft202012Validator(schema).validate(piece)
        assert set(piece) <= set(spec["components"]["schemas"]["evidence"]["properties"])
