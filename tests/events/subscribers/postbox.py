"""A mail server's folder, read by tests."""

import email
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from devstack.mailbox import BEHAVIOUR


@dataclass(frozen=True)
class Postbox:
    """Where the server is, and its folder."""

    port: int
    folder: Path

    def told(self, behaviour: str) -> None:
        """From now on it behaves so."""
        (self.folder / BEHAVIOUR).write_text(behaviour)

    def mails(self) -> list[EmailMessage]:
        """What it has taken, oldest first."""
        messages = []
        for path in sorted(self.folder.glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=default)
            assert isinstance(message, EmailMessage)
            messages.append(message)
        return messages
