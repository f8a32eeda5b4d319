"""The paymentLinks calls."""

from datetime import datetime

from sandbox.adyen import fields as f
from sandbox.adyen import shapes
from sandbox.adyen.call import Call
from sandbox.adyen.errors import AdyenError, invalid
from sandbox.adyen.gateway import AdyenGateway
from sandbox.store import Json

_DAY = 86_400
_LONGEST = 70 * _DAY
# Fields that change nothing here: they are taken and given back as they are.
_ECHOED = (
    "allowedPaymentMethods applicationInfo billingAddress blockedPaymentMethods countryCode dateOfBirth deliverAt"
    " deliveryAddress fundOrigin fundRecipient installmentOptions lineItems mcc merchantOrderReference"
    " platformChargebackLogic recurringProcessingModel requiredShopperFields riskData shopperEmail shopperLocale"
    " shopperName shopperReference shopperStatement showRemovePaymentMethodButton socialSecurityNumber"
    " splitCardFundingSources splits store storePaymentMethodMode telephoneNumber themeId threeDS2RequestData"
)
_CREATE: dict[str, f.Check] = {
    **dict.fromkeys(_ECHOED.split(), f.anything),
    "amount": f.amount,
    "captureDelayHours": f.whole,
    "description": f.text(280),
    "expiresAt": f.moment,
    "manualCapture": f.flag,
    "merchantAccount": f.text(100),
    "metadata": f.metadata,
    "reference": f.text(80),
    "returnUrl": f.text(8000),
    "reusable": f.flag,
}
_UPDATE: dict[str, f.Check] = {"status": f.text(100)}


def create(gateway: AdyenGateway, call: Call) -> Json:
    """Open a link that can be paid once."""
    given = f.check(call.body, _CREATE, "PaymentLinkRequest", ("amount", "reference"))
    if given.get("reusable"):
        raise invalid("130", "Field 'reusable' is not valid: this sandbox's links can be paid once.")
    expires_at = _expiry(given.get("expiresAt"), gateway.clock.now())
    link = shapes.payment_link(given, expires_at, call.origin.base_url)
    gateway.save_link(link)
    return shapes.answered(link)


def _expiry(given: str | None, now: float) -> float:
    if given is None:
        return now + _DAY
    at = datetime.fromisoformat(given).timestamp()
    if not now < at <= now + _LONGEST:
        raise invalid("130", "Field 'expiresAt' is not valid: it must lie within the next 70 days.")
    return at


def retrieve(gateway: AdyenGateway, call: Call) -> Json:
    """Read a link."""
    return shapes.answered(_find(gateway, call.about))


def update(gateway: AdyenGateway, call: Call) -> Json:
    """Close a link that has not been paid; one that is closed stays so."""
    given = f.check(call.body, _UPDATE, "UpdatePaymentLinkRequest", ("status",))
    if given["status"] != "expired":
        raise invalid("130", "Field 'status' is not valid: a link can only be set to expired.")
    link = _find(gateway, call.about)
    if link["status"] == "completed":
        raise invalid("130", "Payment link is completed and can no longer be updated")
    if link["status"] == "active":
        gateway.change_link(link, "expired")
    return shapes.answered(link)


def _find(gateway: AdyenGateway, link_id: str) -> Json:
    found = gateway.link(link_id)
    if found is None:
        raise AdyenError(422, "000", "Not Found", "validation")
    return found
