"""Writing rows beside a checkout's own story; idempotent, so that this may run as a local activity."""

from dataclasses import dataclass

from temporalio import activity

from activities.failures import failure
from domain.checkout import CheckoutStatus
from domain.errors import PaysagaError
from ledger.remarks import Remark, Remarks


@dataclass(frozen=True)
class RemarkCall:
    """Append these rows to a checkout's timeline, all or none."""

    checkout_id: str
    remarks: tuple[Remark, ...]


@dataclass
class RemarkActivities:
    """The pen of those who have no say in where a checkout stands."""

    remarks: Remarks

    @activity.defn
    async def remark(self, call: RemarkCall) -> CheckoutStatus:
        """Answers where the checkout stands, which the rows have not changed."""
        try:
            return await self.remarks.append(call.checkout_id, call.remarks)
        except PaysagaError as error:
            raise failure(error) from error
