"""Reading Adyen: one payment from its link and the notifications kept about it, by its id or by our reference."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.dispute import DisputeSnapshot
from domain.errors import OutcomeUnknownError, WebhookNotAuthenticError
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.adyen import disputes, translate
from gateways.adyen.client import AdyenConnection, Link
from gateways.adyen.options import AdyenOptions
from gateways.adyen.translate import NAME, Seen
from gateways.adyen.webhooks import Notification, notifications
from gateways.contract import Evidence, GatewayTransaction
from gateways.refusal import RefusalError

_log = logging.getLogger(__name__)

# Of several payments with one reference the one that has money in it matters most.
_BY_WEIGHT = (
    PaymentStatus.CAPTURED,
    PaymentStatus.PROCESSING,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.AWAITING_CUSTOMER,
    PaymentStatus.CANCELED,
)


class AdyenReader:
    """Look-ups on one Adyen account."""

    def __init__(self, connection: AdyenConnection, evidence: Evidence, options: AdyenOptions) -> None:
        self._connection = connection
        self._evidence = evidence
        self._account, self._live = options.merchant_account, options.live
        self._several_captures = options.several_captures

    async def lookup(self, payment_id: str) -> Seen | None:
        """The payment as it is now; None when this account has no such link. Raises GatewayError."""
        try:
            link = await self._connection.link(payment_id)
        except RefusalError as refusal:
            if refusal.missing:
                return None
            raise refusal.as_error() from None
        return await self.seen(link)

    async def seen(self, link: Link) -> Seen:
        """What has become of a link; its notifications are read after it, so that they are never older than it."""
        return translate.seen(link, await self._told(link.reference), self._live, self._several_captures)

    async def dispute(self, dispute_id: str) -> DisputeSnapshot | None:
        """The dispute as the notifications so far tell it; None when none does. Raises GatewayError."""
        reference = dispute_id.partition(":")[0]
        told = [n for n in await self._told(reference) if n.account == self._account and n.checkout_id == reference]
        return disputes.snapshot(dispute_id, told, self._live)

    async def find(self, reference: str) -> PaymentSnapshot | None:
        """The payment with this reference among those that a notification told of. Raises GatewayError."""
        told = await self._told(reference)
        # The id of the link is not signed: it only says where to look, and the link itself must name the reference.
        link_ids = {n.link_id for n in told if n.checkout_id == reference and n.link_id is not None}
        read = [await self.lookup(link_id) for link_id in sorted(link_ids)]
        payments = [seen.payment for seen in read if seen is not None and seen.payment.reference == reference]
        if len(payments) > 1:
            ids = ", ".join(payment.payment_id for payment in payments)
            _log.error("several Adyen payment links carry the reference %s: %s", reference, ids)
        return min(payments, key=lambda payment: _BY_WEIGHT.index(payment.status), default=None)

    async def _told(self, reference: str) -> Sequence[Notification]:
        return _read(await self._evidence.about(NAME, reference))

    async def transactions(self, since: datetime, until: datetime) -> list[GatewayTransaction]:
        """The movements that notifications received in this time tell of, oldest first."""
        told = _read(await self._evidence.between(NAME, since, until))
        rows = [translate.transaction_of(n) for n in told if n.account == self._account]
        once = {(row.transaction_id, row.type): row for row in rows if row is not None}
        return sorted(once.values(), key=lambda row: row.at)


def _read(bodies: Iterable[bytes]) -> Sequence[Notification]:
    try:
        return [n for body in bodies for n in notifications(body)]
    # They were read before they were kept; whatever this is, it must not look as if there were no notifications.
    except (WebhookNotAuthenticError, ValueError, RecursionError) as error:
        raise OutcomeUnknownError(f"a kept notification of Adyen's cannot be read: {type(error).__name__}") from None
