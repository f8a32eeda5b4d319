"""What reaches a running workflow from outside, kept until the story asks for it."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from domain.saga import Fact


class Decision(StrEnum):
    """What the shop said of the order."""

    CONFIRM = "confirm"
    REJECT = "reject"


@dataclass
class Mailbox:
    """Handlers put in, the workflow's main task takes out; nothing here acts by itself."""

    facts: deque[Fact] = field(default_factory=deque)
    decision: Decision | None = None
    reject_reason: str = ""
    cancel_requested: bool = False
    retry_requested: bool = False
    strangers: list[str] = field(default_factory=list)
