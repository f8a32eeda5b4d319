"""What reaches a running workflow from outside, kept until the story asks for it."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from domain.saga import Fact, Verdict


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
    verdict: Verdict | None = None

    @property
    def stops(self) -> bool:
        """Whether the shop gave the checkout up, or its split checkout gives it back."""
        return self.cancel_requested or self.verdict is Verdict.GIVE_BACK

    def forget(self, gateway: str) -> None:
        """Drop what was seen at this gateway, because it is looked at anew; what was seen elsewhere stays."""
        elsewhere = [fact for fact in self.facts if fact.payment.gateway != gateway]
        self.facts.clear()
        self.facts.extend(elsewhere)

    def was_told(self, wanted: Verdict) -> bool:
        """Whether the split checkout has said this, or what comes after it."""
        if self.verdict is None:
            return False
        return self.verdict is wanted or self.verdict is not Verdict.CAPTURE
