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
    Verb.REAUTHORIZE: _PAYMENTS,
    # PayPal keeps no request id of a dispute's calls. None is needed: a dispute that was answered or given up is read
    # first and takes no second answer, however late the same call comes back.
    Verb.SUBMIT_EVIDENCE: _PAYMENTS,
    Verb.ACCEPT_DISPUTE: _PAYMENTS,
}
# The whole life of an authorization; PayPal promises the money for its first three days only.
_HOLD_LIFETIME = timedelta(days=29)
# PayPal honours a hold for three days and makes it anew "from days four to 29", which its pages also give as four days
# after: the end of the fourth day is right by both. https://developer.paypal.com/docs/checkout/advanced/authorization-honor
_REAUTHORIZE_AFTER = timedelta(days=4)
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
        # An account has to be enabled for captures of a part by PayPal.
        several_captures=True,
        void_before_authorization=False,
        modifications=Modifications.SYNCHRONOUS,
        webhook_authentication=WebhookAuthentication.CERTIFICATE_CHECKSUM,
        lookup_by_reference=False,
        merchant_account=options.merchant_id,
        payable_for=_PAYABLE_FOR,
        reauthorize_after=_REAUTHORIZE_AFTER,
        answers_disputes=frozenset({Verb.SUBMIT_EVIDENCE, Verb.ACCEPT_DISPUTE}),
        lists_events=True,
    )
