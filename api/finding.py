"""What an address names, read from the books. An id of another shape is nobody's and never reaches the database."""

import re

from api.problems import Problem
from api.services import Services
from domain.case import Case
from domain.checkout import CheckoutRecord
from domain.refund import RefundRecord
from ledger.contract import DisputeRecord

_CHECKOUT = re.compile(r"chk_[0-9A-Za-z]{24}")
_REFUND = re.compile(r"rfd_[0-9A-Za-z]{24}")
_DISPUTE = re.compile(r"dsp_[0-9A-Za-z]{24}")
_CASE = re.compile(r"case_[0-9A-Za-z]{24}_[0-9]{1,9}")


def checkout_id_of(text: str) -> str:
    """The text, where it has the shape of a checkout's id. Raises Problem 404."""
    if not _CHECKOUT.fullmatch(text):
        raise _no_checkout()
    return text


async def find_checkout(services: Services, checkout_id: str) -> CheckoutRecord:
    """The checkout. Raises Problem 404."""
    record = await services.books.get(checkout_id_of(checkout_id))
    if record is None:
        raise _no_checkout()
    return record


async def find_refund(services: Services, checkout_id: str, refund_id: str) -> RefundRecord:
    """The refund of this checkout. Raises Problem 404, for that of another checkout too."""
    await find_checkout(services, checkout_id)
    record = await services.refunds.get(refund_id) if _REFUND.fullmatch(refund_id) else None
    if record is None or record.refund.checkout_id != checkout_id:
        raise Problem(404, "refund_not_found", "The checkout has no refund with this id.")
    return record


async def find_dispute(services: Services, dispute_id: str) -> DisputeRecord:
    """The dispute. Raises Problem 404."""
    record = await services.disputes.get(dispute_id) if _DISPUTE.fullmatch(dispute_id) else None
    if record is None:
        raise Problem(404, "dispute_not_found", "No dispute has this id.")
    return record


async def find_case(services: Services, case_id: str) -> Case:
    """The case. Raises Problem 404."""
    case = await services.cases.get(case_id) if _CASE.fullmatch(case_id) else None
    if case is None:
        raise Problem(404, "case_not_found", "No case has this id.")
    return case


def _no_checkout() -> Problem:
    return Problem(404, "checkout_not_found", "No checkout has this id.")
