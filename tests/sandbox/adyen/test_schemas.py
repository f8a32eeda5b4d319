"""Requests, answers and notifications fit the API descriptions that Adyen publishes."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.sandbox.adyen.support import ACCOUNT, Hook, Shop

SPECS = Path(__file__).parents[3].parent / "shared" / "specs"
CHECKOUT, WEBHOOKS = SPECS / "adyen-CheckoutService-v72.json", SPECS / "adyen-Webhooks-v1.json"

pytestmark = pytest.mark.skipif(not CHECKOUT.exists(), reason="Adyen's API descriptions are not on this machine")


class Description:
    """One of Adyen's API descriptions."""

    def __init__(self, path: Path) -> None:
        self.content: dict[str, Any] = json.loads(path.read_text())

    def errors(self, name: str, value: Any) -> list[str]:
        """Where a value does not fit a schema of the description, including fields that it does not name."""
        schema = {"$ref": f"#/components/schemas/{name}", "components": self.content["components"]}
        found = [error.message for error in Draft202012Validator(schema).iter_errors(value)]
        known = self.content["components"]["schemas"][name].get("properties", {})
        return found + [f"{field} is not in {name}" for field in value if field not in known]

    def answer(self, method: str, path: str, status: int) -> str:
        """The name of the schema that an answer has; the status must be one that is described."""
        answers = self.content["paths"][path][method]["responses"]
        reference: str = answers[str(status)]["content"]["application/json"]["schema"]["$ref"]
        return reference.rpartition("/")[2]


@pytest.fixture(scope="module")
def checkout() -> Description:
    """Checkout v72."""
    return Description(CHECKOUT)


@pytest.fixture(scope="module")
def webhooks() -> Description:
    """Webhooks v1."""
    return Description(WEBHOOKS)


async def test_links(checkout: Description, shop: Shop) -> None:
    """A link's request and its answers, at every stage of its life."""
    order = shop.order(metadata={"tier": "gold"}, returnUrl="https://shop.example/", description="A thing")
    assert checkout.errors("PaymentLinkRequest", order) == []
    opened = await shop.post("paymentLinks", order)
    path = "/paymentLinks/{linkId}"
    assert checkout.errors(checkout.answer("post", "/paymentLinks", opened.status_code), opened.json()) == []
    closed = await shop.api.patch(f"paymentLinks/{opened.json()['id']}", json={"status": "expired"})
    assert checkout.errors(checkout.answer("patch", path, closed.status_code), closed.json()) == []
    paid = await shop.open()
    await shop.pay(paid)
    read = await shop.api.get(f"paymentLinks/{paid['id']}")
    assert checkout.errors(checkout.answer("get", path, read.status_code), read.json()) == []


@pytest.mark.parametrize("verb", ["captures", "cancels", "refunds", "reversals"])
async def test_modifications(checkout: Description, shop: Shop, hook: Hook, verb: str) -> None:
    """What answers a modification."""
    psp = await hook.authorised(shop, await shop.open())
    body: dict[str, Any] = {"merchantAccount": ACCOUNT, "reference": "mine"}
    if verb in ("captures", "refunds"):
        body["amount"] = {"value": 4200, "currency": "EUR"}
    answer = await shop.post(f"payments/{psp}/{verb}", body)
    path = f"/payments/{{paymentPspReference}}/{verb}"
    assert checkout.errors(checkout.answer("post", path, answer.status_code), answer.json()) == []


async def test_errors(checkout: Description, shop: Shop) -> None:
    """Every refusal has a status that is described and the shape of a ServiceError."""
    refused = [
        await shop.post("paymentLinks", shop.order(reference=None)),
        await shop.post("paymentLinks", shop.order(nonsense=1)),
        await shop.post("paymentLinks", shop.order(merchantAccount="Nobody")),
        await shop.api.post("paymentLinks", json={}, headers={"X-API-Key": "wrong"}),
    ]
    assert [answer.status_code for answer in refused] == [422, 400, 403, 401]
    for answer in refused:
        name = checkout.answer("post", "/paymentLinks", answer.status_code)
        assert name == "ServiceError"
        assert checkout.errors(name, answer.json()) == []


def _fits(webhooks: Description, item: dict[str, Any]) -> list[str]:
    """A notification item against the schema of its kind."""
    given = {name: value for name, value in item["additionalData"].items() if not name.startswith("metadata.")}
    document = {"live": "false", "notificationItems": [{"NotificationRequestItem": {**item, "additionalData": given}}]}
    body = webhooks.content["webhooks"][f"/{item['eventCode']}"]["post"]["requestBody"]
    return webhooks.errors(body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2], document)


@pytest.mark.parametrize("card", ["good", "challenged", "declined_soft"])
async def test_authorisations(webhooks: Description, shop: Shop, hook: Hook, card: str) -> None:
    """Approvals and refusals as they are told."""
    answer = await shop.pay(await shop.open(metadata={"tier": "gold"}), card)
    if answer.status_code == 303:
        await shop.browser.post(answer.headers["location"], data={"outcome": "approve"})
    assert _fits(webhooks, await hook.told("AUTHORISATION")) == []


async def test_outcomes(webhooks: Description, shop: Shop, hook: Hook) -> None:
    """Outcomes of modifications as they are told, those that fail later included."""
    psp = await hook.authorised(shop, await shop.open(), "capture_fails")
    await shop.modify(psp, "captures", 4000)
    await shop.modify(psp, "cancels")
    other = await hook.authorised(shop, await shop.open(manualCapture=False), "refund_fails")
    await shop.modify(other, "refunds", 200)
    await shop.modify(other, "reversals")
    await shop.browser.post("/sandbox/settle")
    for code in ("CAPTURE", "CANCELLATION", "REFUND", "CANCEL_OR_REFUND", "CAPTURE_FAILED", "REFUND_FAILED"):
        assert _fits(webhooks, await hook.told(code)) == [], code


async def test_disputes(webhooks: Description, shop: Shop, hook: Hook) -> None:
    """Everything that is told of a dispute, from the question to the second chargeback."""
    link = await shop.open()
    psp = await hook.authorised(shop, link)
    await shop.modify(psp, "captures", 4200)
    await hook.told("CAPTURE")
    asked = {"payment": link["id"], "kind": "inquiry"}
    dispute = (await shop.browser.post("/sandbox/disputes", json=asked)).json()["dispute"]
    for path in (f"disputes/{dispute}/escalate", f"adyen/disputes/{dispute}/reverse", f"disputes/{dispute}/decide"):
        body = {"outcome": "lost"} if path.endswith("decide") else {}
        assert (await shop.browser.post(f"/sandbox/{path}", json=body)).status_code == 200
    told = ["REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK", "CHARGEBACK_REVERSED"]
    for code in (*told, "SECOND_CHARGEBACK"):
        assert _fits(webhooks, await hook.told(code)) == [], code


def test_comparison_finds_differences(checkout: Description) -> None:
    """The comparison itself sees a missing field, one of another kind, and one too many."""
    wrong = {"amount": {"value": "10", "currency": "EUR"}, "reference": "r", "surplus": 1}
    found = " ".join(checkout.errors("PaymentLinkRequest", wrong))
    assert "'merchantAccount' is a required property" in found
    assert "'10' is not of type 'integer'" in found
    assert "surplus is not in PaymentLinkRequest" in found
