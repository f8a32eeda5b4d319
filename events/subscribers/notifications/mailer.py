"""Hands mails over to a mail server, and tells what can be tried again from what cannot.

Each mail has a connection of its own. Servers close those that are idle, and a payment brings one mail: what a kept
connection would spare is a few round trips of this subscriber's alone, and its price is not knowing, when it turns out
to be gone amid a mail, whether that mail was taken.
"""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Self
from urllib.parse import unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPDataError, SMTPException, SMTPNotSupported, SMTPRecipientRefused, SMTPRecipientsRefused

from config.environment import SettingsError
from events.subscribers.contract import PoisonError, TryLaterError

_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True)
class MailServer:
    """Where mails are handed over. `tls`: from the first byte, else as soon as the server offers it."""

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str | None = None

    @classmethod
    def at(cls, url: str) -> Self:
        """The server of an smtp:// or smtps:// address. Raises SettingsError."""
        parts = urlsplit(url)
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError:
            raise SettingsError("the environment is not fit to start with:\n  SMTP_URL: has no such port") from None
        user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        if (user is None) != (password is None):
            raise SettingsError("the environment is not fit to start with:\n  SMTP_URL: user and password go together")
        return cls(parts.hostname or "", port, parts.scheme == "smtps", user, password)

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, so that nobody can listen on the way."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Mailer:
    """`step_seconds`: what the server has for each answer; `mail_seconds`: for all of one mail."""

    def __init__(
        self,
        server: MailServer,
        tls: ssl.SSLContext | None = None,
        step_seconds: float = 30,
        mail_seconds: float = 120,
    ) -> None:
        self._server, self._step, self._whole = server, step_seconds, mail_seconds
        self._tls = tls or _context(server)

    async def send(self, message: EmailMessage, sender: Address, to: Address) -> None:
        """Hand one mail over. Raises TryLaterError, and PoisonError where this mail will never be taken."""
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.tls,
            tls_context=self._tls,
            timeout=self._step,
        )
        try:
            async with asyncio.timeout(self._whole):
                await self._enter(client)
                await client.send_message(message, sender=sender.addr_spec, recipients=[to.addr_spec])
        except (SMTPException, OSError) as error:
            raise _judged(error) from None
        else:
            # It is the server's now, whatever becomes of the farewell.
            with suppress(SMTPException, OSError):
                await client.quit(timeout=1)
        finally:
            client.close()

    async def _enter(self, client: aiosmtplib.SMTP) -> None:
        """Connect and log in. What goes wrong here is no mail's fault, so that all of them wait for it."""
        server = self._server
        try:
            await client.connect()
            if server.user is None or server.password is None:
                return
            # Whoever sits in between can hide that the server offers TLS, and would be told the password.
            if client.get_transport_info("sslcontext") is None and not server.is_here:
                raise TryLaterError("the mail server offers no TLS, and the password is not sent without")
            await client.login(server.user, server.password)
        except (SMTPException, OSError) as error:
            raise _later(error) from None


def _judged(error: SMTPException | OSError) -> PoisonError | TryLaterError:
    """Of a server's words only the code is kept: they often repeat the address."""
    match error:
        case SMTPRecipientsRefused(recipients=[SMTPRecipientRefused(code=code), *_]) if code >= 500:
            return PoisonError(f"the mail server refuses the recipient: {code}")
        case SMTPRecipientsRefused(recipients=[SMTPRecipientRefused(code=code), *_]):
            return TryLaterError(f"the mail server does not take the recipient now: {code}")
        case SMTPDataError(code=code) if code >= 500:
            return PoisonError(f"the mail server refuses the mail: {code}")
        case SMTPNotSupported():
            return PoisonError("the mail server takes no address like the recipient's")
        case _:
            return _later(error)


def _later(error: SMTPException | OSError) -> TryLaterError:
    code = getattr(error, "code", None)
    return TryLaterError(f"the mail server failed: {type(error).__name__}{'' if code is None else f' {code}'}")


def _context(server: MailServer) -> ssl.SSLContext:
    """Certificates are checked, except on this machine, where relays sign their own."""
    context = ssl.create_default_context()
    if server.is_here:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
