"""What Adyen can do, as data."""

from datetime import timedelta
from types import MappingProxyType

from domain.checkout import CaptureMode
from gateways.adyen.currencies import CURRENCIES
from gateways.adyen.options import AdyenOptions
from gateways.contract import Capabilities, Modifications, Verb, WebhookAuthentication

# The least that docs.adyen.com/development-resources/api-idempotency promises.
_KEY_LIFETIME = timedelta(days=7)
# Adyen itself expires authorisations after 28 days (adyen.help, article 115001179684), but card networks honour those
# of online payments for less, about seven days at the shortest: a later capture costs more or fails.
HOLD_LIFETIME = timedelta(days=7)
# Adyen's own expiry of a payment link. Another could be sent, but only one that a repeated call sends again.
_PAYABLE_FOR = timedelta(hours=24)


def capabilities(options: AdyenOptions) -> Capabilities:
    """The capabilities of one account.

    Both capture modes are there because we always capture ourselves, at once where the shop need not confirm: when
    Adyen captures by itself, no notification tells of it, and there is no look-up that would.
    """
    return Capabilities(
        live=options.live,
        key_lifetime=MappingProxyType(dict.fromkeys(Verb, _KEY_LIFETIME)),
        hold_lifetime=HOLD_LIFETIME,
        currencies=MappingProxyType(CURRENCIES),
        capture_modes=frozenset(CaptureMode),
        partial_capture=True,
        # Adyen's support switches them on for an account; until then it lets go of what the first capture leaves.
        several_captures=options.several_captures,
        # An unpaid payment link can be expired.
        void_before_authorization=True,
        modifications=Modifications.BY_WEBHOOK,
        webhook_authentication=WebhookAuthentication.HMAC_FIELDS,
        # Links cannot be searched; only those that somebody tried to pay are named in notifications.
        lookup_by_reference=False,
        merchant_account=options.merchant_account,
        payable_for=_PAYABLE_FOR,
        answers_disputes=frozenset({Verb.SUBMIT_EVIDENCE, Verb.ACCEPT_DISPUTE} if options.disputes_base else ()),
    )
