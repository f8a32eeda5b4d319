"""What PayPal can do, as data."""

from datetime import timedelta
from types import MappingProxyType

from domain.checkout import CaptureMode
from gateways.contract import Capabilities, Modifications, Verb, WebhookAuthentication
from gateways.paypal.currencies import CURRENCIES
from gateways.paypal.options import PayPalOptions

# Orders keep a request id for six hours, payments for 45 days. A capture of what is held goes to payments, one of what
# is only approved to orders: the shorter time holds for both, since a key cannot tell which of them it was sent to.
_ORDERS, _PAYMENTS = timedelta(hours=6), timedelta(days=45)
_KEY_LIFETIMES = {
    Verb.CREATE: _ORDERS,
    Verb.AUTHORIZE: _ORDERS,
    Verb.CAPTURE: _ORDERS,
    Verb.VOID: _PAYMENTS,
    Verb.REFUND: _PAYMENTS,
}
# The whole life of an authorization; PayPal promises the money for its first three days only.
_HOLD_LIFETIME = timedelta(days=29)
# An order that nobody approves is gone after three hours.
_PAYABLE_FOR = timedelta(hours=3)


def capabilities(options: PayPalOptions) -> Capabilities:
    """The capabilities of this account."""
    return Capabilities(
        live=options.live,
        key_lifetime=MappingProxyType(_KEY_LIFETIMES),
        hold_lifetime=_HOLD_LIFETIME,
        currencies=MappingProxyType(CURRENCIES),
        capture_modes=frozenset(CaptureMode),
        # Of what is held; what is only approved is taken whole.
        partial_capture=True,
        # PayPal could; each capture here is the final one, so that the rest of the hold is released with it.
        several_captures=False,
        void_before_authorization=False,
        modifications=Modifications.SYNCHRONOUS,
        webhook_authentication=WebhookAuthentication.CERTIFICATE_CHECKSUM,
        lookup_by_reference=False,
        merchant_account=options.merchant_id,
        payable_for=_PAYABLE_FOR,
    )
