"""PayPal's JSON of a dispute, made of the sandbox's own record."""

from sandbox.paypal import shapes
from sandbox.paypal.gateway import CAPTURE, Gateway, moment
from sandbox.paypal.money import money
from sandbox.store import Json


def dispute(gateway: Gateway, order: Json, record: Json, api_url: str) -> Json:
    """A dispute in full, as its own call and its events state it."""
    currency, open_ = order["currency"], record["status"] != "RESOLVED"
    body: Json = {
        "dispute_id": record["id"],
        "create_time": record["created"],
        "update_time": record["updated"],
        "disputed_transactions": [_transaction(gateway, order, record)],
        "reason": record["reason"],
        "status": record["status"],
        "dispute_amount": money(record["amount"], currency),
        "dispute_life_cycle_stage": record["stage"],
        "dispute_channel": record["channel"],
        "links": links(record, api_url),
    }
    if record["outcome"] is not None:
        body["dispute_outcome"] = {"outcome_code": record["outcome"]}
    if record["movements"]:
        body["money_movements"] = [_movement(each, currency) for each in record["movements"]]
    if record["evidences"]:
        body["evidences"] = record["evidences"]
    if record["due"] is not None:
        body["seller_response_due_date"] = moment(record["due"])
    if open_:
        body["allowed_response_options"] = {"accept_claim": {"accept_claim_types": ["REFUND"]}}
    return body


def links(record: Json, api_url: str) -> list[Json]:
    """Where the dispute is, and what may be said to it now."""
    me = f"{api_url}/v1/customer/disputes/{record['id']}"
    found = [shapes.link(me, "self")]
    if record["status"] == "WAITING_FOR_SELLER_RESPONSE" and record["stage"] != "INQUIRY":
        found.append(shapes.link(f"{me}/provide-evidence", "provide-evidence", "POST"))
    if record["status"] != "RESOLVED":
        found.append(shapes.link(f"{me}/accept-claim", "accept-claim", "POST"))
    return found


def _transaction(gateway: Gateway, order: Json, record: Json) -> Json:
    taken = gateway.find(CAPTURE, record["capture"])
    told: Json = {
        "seller_transaction_id": taken["id"],
        "create_time": taken["created"],
        "transaction_status": taken["status"],
        "gross_amount": money(taken["amount"], order["currency"]),
        "buyer": {"name": "Sam Payer"},
        "seller": {"merchant_id": gateway.merchant_id},
    }
    return told | ({"custom": order["unit"]["custom_id"]} if "custom_id" in order["unit"] else {})


def _movement(record: Json, currency: str) -> Json:
    return {
        "affected_party": "SELLER",
        "amount": money(record["amount"], currency),
        "initiated_time": record["at"],
        "type": record["type"],
        "reason": "DISPUTE_SETTLEMENT",
    }
