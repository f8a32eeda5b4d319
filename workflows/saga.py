"""What every checkout's saga has in common: it sells, or it gives everything back, whatever stops it."""

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from domain.checkout import CheckoutStatus
from domain.saga import EndReason
from domain.states import ENDED
from workflows.commands import Commands
from workflows.endings import NoSaleError
from workflows.journal import OvertakenError
from workflows.orders import Acting
from workflows.shield import shielded


class Saga(Acting, Commands):
    """A subclass says how it sells, how it gives back, and what is left to do after the end, if anything."""

    async def _sell(self) -> None:
        """Go on to the sale. Raises NoSaleError when there is to be none."""
        raise NotImplementedError

    async def _give_back(self, ending: NoSaleError) -> None:
        """Go on until nothing is held and nothing is kept, and write the end."""
        raise NotImplementedError

    async def _see_to_the_rest(self) -> None:
        """Put right what happened while the end was written; a saga that moves no money itself has nothing to do."""

    async def _carry_out(self) -> CheckoutStatus:
        """The checkout's status when all is final. A cancelled workflow gives everything back first."""
        try:
            await self._sell_or_undo()
        except OvertakenError as overtaken:
            await self._give_way(overtaken)
        finally:
            if workflow.in_workflow() and self._journal.written.state in ENDED:
                await shielded(workflow.wait_condition(workflow.all_handlers_finished))
        await shielded(self._see_to_the_rest())
        await shielded(workflow.wait_condition(workflow.all_handlers_finished))
        return self._journal.status

    async def _sell_or_undo(self) -> None:
        try:
            await self._sell()
        except NoSaleError as ending:
            await self._undo(ending)
        except BaseException as error:
            # Cancellation is a BaseException. What is neither it nor a failure of Temporal's (a bug, the eviction from
            # a worker's cache) ends nothing: the task is tried again, with mended code if need be.
            if is_cancelled_exception(error):
                await self._undo(NoSaleError(EndReason.CANCELED_BY_OPERATOR, "operator"))
            elif isinstance(error, FailureError):
                await self._undo(NoSaleError(EndReason.FAILED, "timer"))
            raise

    async def _undo(self, ending: NoSaleError) -> None:
        self._undoing = True
        try:
            await shielded(self._give_back(ending))
        except OvertakenError as overtaken:
            await self._give_way(overtaken)

    async def _give_way(self, overtaken: OvertakenError) -> None:
        """An end on the books stands; where there is none yet, what is found is given back."""
        workflow.logger.warning("the books have %s as %s", self._command.checkout_id, overtaken)
        if self._journal.state not in ENDED:
            self._undoing = True
            await shielded(self._give_back(NoSaleError(EndReason.LATE_MONEY, "operator")))
