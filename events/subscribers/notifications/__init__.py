"""Writes to people: receipts and refunds to the customer, disputes to the shop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import MailSettings, ShopApiSettings
from events.subscribers.contract import Subscriber
from events.subscribers.notifications.addresses import configured
from events.subscribers.notifications.mailer import Mailer, MailServer
from events.subscribers.notifications.subscriber import Notifications
from events.subscribers.shop_api import connected


@asynccontextmanager
async def build() -> AsyncIterator[Subscriber]:
    """The subscriber with its mail server and the API, by the settings of this process. Raises SettingsError."""
    mail, api = MailSettings.read(), ShopApiSettings.read()
    sender, shop = configured("MAIL_FROM", mail.mail_from), configured("MAIL_SHOP", mail.mail_shop)
    mailer = Mailer(MailServer.at(mail.smtp_url.get_secret_value()))
    async with connected(api) as paysaga:
        yield Notifications(paysaga, mailer, sender, shop)
