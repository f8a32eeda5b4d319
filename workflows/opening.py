"""Opening a payment at the first of its gateways that will have it."""

from domain.outcomes import Answer, Declined
from domain.saga import GatewayAccount
from domain.states import CheckoutState
from gateways.contract import Verb
from workflows.desk import Desk
from workflows.journal import Journal
from workflows.unanswered import NothingHappenedError


class Opening:
    """Goes on to the next gateway only with proof that nothing happened at the one before.

    That is a soft decline, a first call that certainly was not carried out, or a look-up that shows no payment after
    the gateway gave no answer. It ends before the customer is told what to do, so nobody can have paid meanwhile.
    """

    def __init__(self, journal: Journal, desk: Desk) -> None:
        self._journal = journal
        self._desk = desk

    async def run(self) -> Answer:
        """The answer of the gateway at which the payment was opened, or of the last one."""
        while (following := self._following()) is not None:
            try:
                answer = await self._desk.create(may_leave=True)
            except NothingHappenedError as error:
                self._leave(following, error.reason)
                continue
            if not isinstance(answer, Declined) or answer.decline.hard:
                return answer
            self._leave(following, f"declined {answer.decline.code}")
        return await self._desk.create()

    def _following(self) -> GatewayAccount | None:
        return self._journal.command.account_after(self._journal.account.gateway)

    def _leave(self, following: GatewayAccount, reason: str) -> None:
        """Each gateway's attempt has a key and rows of its own."""
        self._journal.enter(
            CheckoutState.PROCESSING,
            "api",
            name="failed_over",
            details={"from": self._journal.account.gateway, "to": following.gateway, "reason": reason},
            gateway=following.gateway,
        )
        self._desk.next_attempt(Verb.CREATE)
