"""What Stripe can do, as data."""

from datetime import timedelta
from types import MappingProxyType

from domain.checkout import CaptureMode
from gateways.contract import Capabilities, Modifications, Verb, WebhookAuthentication
from gateways.stripe.currencies import CURRENCIES

# Stripe may prune a key once it is a day old; sent again after that it counts as new and would charge again.
_KEY_LIFETIME = timedelta(hours=24)
# The shortest hold of the card networks for online payments; `authorized_until` tells the exact end of each.
_HOLD_LIFETIME = timedelta(days=7)


def capabilities(live: bool) -> Capabilities:
    """The capabilities of a live or a test account."""
    return Capabilities(
        live=live,
        key_lifetime=MappingProxyType(dict.fromkeys(Verb, _KEY_LIFETIME)),
        hold_lifetime=_HOLD_LIFETIME,
        currencies=MappingProxyType(CURRENCIES),
        capture_modes=frozenset(CaptureMode),
        partial_capture=True,
        # Asked for with every hold; where the card or the account has none, a part that is not final is declined.
        several_captures=True,
        void_before_authorization=True,
        modifications=Modifications.SYNCHRONOUS,
        webhook_authentication=WebhookAuthentication.HMAC_BODY,
        lookup_by_reference=True,
        answers_disputes=frozenset({Verb.SUBMIT_EVIDENCE, Verb.ACCEPT_DISPUTE}),
        lists_events=True,
    )
