"""A letter as a message: plain and HTML, with headers that let mail programs see what it is."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from events.subscribers.notifications.letters import Letter

# A word that a template asks for and nobody gives is a mistake to be seen, not a gap in a customer's mail.
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def message_of(letter: Letter, event_id: str, sender: Address, to: Address) -> EmailMessage:
    """The message. It has the same id however often it is made of this event, so that its reader sees it once."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = letter.subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{quote(event_id, safe='')}@{sender.domain}>"
    # Out-of-office robots and mailing lists answer nothing that says this (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    words = dict(letter.words) | {"subject": letter.subject, "shop": sender.display_name or sender.domain}
    message.set_content(_TEMPLATES.get_template(f"{letter.template}.txt").render(words))
    message.add_alternative(_TEMPLATES.get_template(f"{letter.template}.html").render(words), subtype="html")
    return message
