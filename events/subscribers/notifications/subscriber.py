"""Decides who is written to about an event, and what."""

import logging
from datetime import datetime
from email.headerregistry import Address

from domain.states import CheckoutState as S
from domain.timeline import EventType
from events.contract import Event
from events.subscribers.notifications.addresses import recipient
from events.subscribers.notifications.composing import message_of
from events.subscribers.notifications.letters import Letter, dispute, receipt, refund
from events.subscribers.notifications.mailer import Mailer
from events.subscribers.payloads import is_tenders, state_of, text_of
from events.subscribers.shop_api import ShopApi

# The ends in which a split checkout tells of no refund itself.
_SILENT_ENDS = frozenset({S.DECLINED, S.CANCELED, S.EXPIRED, S.COMPLETED, S.WRITTEN_OFF})
_log = logging.getLogger(__name__)


class Notifications:
    """Keeps nothing: what makes a mail that is sent twice one to its reader is its id, which is the event's."""

    name = "notifications"
    wanted = frozenset({EventType.PAYMENT_SUCCEEDED, EventType.REFUND_SUCCEEDED, EventType.DISPUTE_OPENED})

    def __init__(self, api: ShopApi, mailer: Mailer, sender: Address, shop: Address) -> None:
        self._api, self._mailer, self._sender, self._shop = api, mailer, sender, shop

    async def handle(self, event: Event) -> None:
        """Write one mail, or none. Done when the mail server has taken it."""
        if event.type == EventType.DISPUTE_OPENED:
            await self._send(dispute(event), event, self._shop)
            return
        letter = await self._letter(event)
        if letter is None:
            return
        address = await self._api.email(text_of(event, "checkout_id"))
        if address is None:
            _log.info("%s: the customer's address is not known, so nobody is written to", event.id)
            return
        await self._send(letter, event, recipient(address))

    async def forget(self, since: datetime) -> None:
        """There is nothing to undo: mails are not taken back, and whoever has events sent again wants them again."""

    async def _letter(self, event: Event) -> Letter | None:
        """What to tell the customer, who sees one order and not the tenders that pay it."""
        if event.type == EventType.PAYMENT_SUCCEEDED:
            return None if is_tenders(event) else receipt(event)
        if event.type != EventType.REFUND_SUCCEEDED or await self._told_by_whole(event):
            return None
        return refund(event)

    async def _told_by_whole(self, event: Event) -> bool:
        """Whether a split checkout is undone with this tender, and tells what went back in all when it has ended.

        A part of the sale that the shop gives back leaves the tender as it is; money that came after the end is a
        matter of the tender alone.
        """
        if not is_tenders(event) or state_of(event) is not S.REFUNDED:
            return False
        return (await self._api.checkout(text_of(event, "parent_id"))).state not in _SILENT_ENDS

    async def _send(self, letter: Letter, event: Event, to: Address) -> None:
        await self._mailer.send(message_of(letter, event.id, self._sender, to), self._sender, to)
        _log.info("%s: %s is sent", event.id, letter.template)
