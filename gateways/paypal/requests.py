"""Our wishes as PayPal's request bodies."""

from typing import Any

from domain.money import Money
from gateways.contract import CapturePayment, CreatePayment
from gateways.paypal.currencies import stated
from gateways.paypal.pieces import custom_id

_LONGEST_DESCRIPTION = 127


def order(request: CreatePayment) -> dict[str, Any]:
    """The order of one checkout. Raises AmountDoesNotFitError.

    The invoice id is the checkout's: PayPal refuses to capture a second order with an invoice id that was paid, if the
    account is set so, and an order number of the shop's may have been an invoice of somebody else's on the account.
    """
    unit = {
        "reference_id": request.reference,
        "custom_id": request.reference,
        "invoice_id": request.reference,
        "description": f"Order {request.order_id}"[:_LONGEST_DESCRIPTION],
        "amount": stated(request.amount),
    }
    body: dict[str, Any] = {"intent": "AUTHORIZE" if request.hold else "CAPTURE", "purchase_units": [unit]}
    if request.return_url is not None:
        # The shop knows where to send the goods; PayPal's page asks for agreement and nothing else.
        context = {"user_action": "PAY_NOW", "shipping_preference": "NO_SHIPPING"}
        urls = {"return_url": request.return_url, "cancel_url": request.return_url}
        body["payment_source"] = {"paypal": {"experience_context": context | urls}}
    return body


def capture(request: CapturePayment) -> dict[str, Any]:
    """A capture of what is held; the last one lets go of the rest. Raises AmountDoesNotFitError."""
    return {"amount": stated(request.amount), "final_capture": request.final}


def refund(key: str, amount: Money, whole: Money | None = None) -> dict[str, Any]:
    """A refund that carries its key, by which it is known again, and as a piece the whole it belongs to.

    Raises AmountDoesNotFitError.
    """
    return {"amount": stated(amount), "custom_id": custom_id(key, whole)}
