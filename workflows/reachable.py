"""The signals that reach a workflow from dispatcher and operators, the same for every one that has a mailbox."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue

from domain.saga import Fact
from workflows.mailbox import Mailbox


class Reachable:
    """Puts what comes into the mailbox; the workflow's main task takes it out."""

    def __init__(self) -> None:
        self._mailbox = Mailbox()

    @workflow.signal(description="What the gateway was seen to say, brought by the dispatcher")
    def gateway_fact(self, fact: Fact) -> None:
        """Take a look-up that a webhook caused."""
        self._mailbox.facts.append(fact)

    @workflow.signal(description="An operator asks to try again now")
    def retry_now(self) -> None:
        """End a pause between tries, or a case."""
        self._mailbox.retry_requested = True

    @workflow.signal(dynamic=True)
    def unknown_signal(self, name: str, arguments: Sequence[RawValue]) -> None:
        """Keep a signal nobody knows; it would be dropped without a trace."""
        workflow.logger.warning("unknown signal %s", name)
        self._mailbox.strangers.append(name)

    @workflow.query
    def unknown_signals(self) -> list[str]:
        """The names of signals that nobody knew."""
        return self._mailbox.strangers
