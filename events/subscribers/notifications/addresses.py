"""Addresses that mail can be sent to: checked before any header or command is made of them."""

import re
from email.headerregistry import Address

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from config.environment import SettingsError
from events.subscribers.contract import PoisonError

# A name before the address in angle brackets, in quotes or without; what quotes are for is the header's matter.
_NAMED = re.compile(r'\s*"?(?P<name>[^<>"]*?)"?\s*<(?P<address>[^<>]+)>\s*')


def configured(variable: str, text: str) -> Address:
    """The address of this setting, with a name or without: `The Shop <shop@shop.example>`. Raises SettingsError."""
    named = _NAMED.fullmatch(text)
    name, address = (named["name"], named["address"]) if named else ("", text.strip())
    try:
        if not name.isprintable():
            raise EmailNotValidError("the name before the address must hold printable characters only")
        return _address(name, _checked(address))
    except EmailNotValidError as error:
        raise SettingsError(f"the environment is not fit to start with:\n  {variable}: {error}") from None


def recipient(text: str) -> Address:
    """The customer's address. Raises PoisonError, which does not repeat it."""
    try:
        return _address("", _checked(text))
    except EmailNotValidError:
        raise PoisonError("the customer's address is none that mail can be sent to") from None


def _checked(text: str) -> ValidatedEmail:
    """Whether the domain exists is for the mail server to find out; a shop's own may be known in its network only."""
    return validate_email(text, check_deliverability=False, globally_deliverable=False, allow_smtputf8=True)


def _address(name: str, checked: ValidatedEmail) -> Address:
    """In plain ASCII wherever the address can be written so: not every server on the way takes others."""
    return Address(name, checked.ascii_local_part or checked.local_part, checked.ascii_domain)
