"""What Temporal repeats, and what it hands back to the workflow."""

import pytest

from activities.failures import failure
from domain import errors
from ledger.contract import StoreUnavailableError

REPEATED = [
    errors.OutcomeUnknownError("x"),
    errors.GatewayBusyError("x"),
    errors.GatewayMisconfiguredError("x"),
    errors.BooksError("x"),
]
HANDED_BACK = [
    errors.KeySpentError("x"),
    errors.GatewayRefusedError("code", "x"),
    errors.IllegalTransitionError("paid", "expired"),
    errors.OperationMismatchError("x"),
    errors.EntryMismatchError("chk", "x"),
    errors.OrderExistsError("order", "chk"),
    errors.UnknownCurrencyError("x"),
]


@pytest.mark.parametrize("error", REPEATED, ids=lambda error: type(error).__name__)
def test_what_may_pass_is_repeated(error: errors.PaysagaError) -> None:
    """Ignorance, overload, wrong credentials and a database in trouble: the same call may work later."""
    told = failure(error)
    assert not told.non_retryable
    assert f"{told.type}Error" == type(error).__name__


@pytest.mark.parametrize("error", HANDED_BACK, ids=lambda error: type(error).__name__)
def test_what_cannot_work_is_handed_back(error: errors.PaysagaError) -> None:
    """Repeating cannot help: the workflow decides."""
    assert failure(error).non_retryable


def test_a_busy_gateway_says_when() -> None:
    """The pause that the gateway asks for is kept."""
    told = failure(errors.GatewayBusyError("429", 7.0))
    assert told.next_retry_delay is not None
    assert told.next_retry_delay.total_seconds() == 7


def test_a_database_that_is_down_is_no_decision() -> None:
    """It is no error of the domain, so Temporal repeats it like any other exception."""
    assert not issubclass(StoreUnavailableError, errors.PaysagaError)
