"""What Postgres complains of, in the product's own errors: no driver's exception leaves a store."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from domain.errors import BooksError
from ledger.contract import StoreUnavailableError

# Class 08 is about connections, 28 about logins, 3D about the database's name, 53 about full disks and used-up slots,
# 57P about a server shut down under us, 25006 is a server that became a read-only standby: each passes, or a person
# mends it, and then the same call works.
_UNAVAILABLE_STATES = ("08", "25006", "28", "3D", "53", "57P")

# InternalClientError is what asyncpg makes of the server's farewell when it comes between two statements.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


@contextmanager
def translated() -> Iterator[None]:
    """Turn a driver's error into StoreUnavailableError where trying again later helps, else into BooksError."""
    try:
        yield
    except UnicodeError as error:
        raise BooksError("a text cannot be stored: it is not valid Unicode") from error
    except DBAPIError as error:
        raise as_store_error(_cause(error), disconnected=error.connection_invalidated) from error
    except (*DRIVER_ERRORS, PoolTimeoutError) as error:
        raise as_store_error(error) from error


def as_store_error(error: BaseException, *, disconnected: bool = False) -> BooksError | StoreUnavailableError:
    """The product's error for what the driver raised."""
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.PostgresError) and state is not None and not disconnected:
        # Its first argument alone: the whole text has a detail line too, which repeats values of the refused row.
        said = error.args[0] if error.args else state
        if state.startswith(_UNAVAILABLE_STATES):
            return StoreUnavailableError(f"Postgres: {said}")
        return BooksError(f"Postgres refused ({constraint_of(error) or state}): {said}")
    if isinstance(error, asyncpg.DataError) and not disconnected:
        return BooksError("a value cannot be stored: text must be valid Unicode, numbers must fit")
    return StoreUnavailableError(f"Postgres cannot be reached: {type(error).__name__}: {error}")


def constraint_of(error: BaseException) -> str | None:
    """The name of the constraint that was violated, None when the error is about something else."""
    if isinstance(error, DBAPIError):
        error = _cause(error)
    return getattr(error, "constraint_name", None)


def _cause(error: DBAPIError) -> BaseException:
    """asyncpg's own error, which SQLAlchemy wraps twice."""
    cause: BaseException | None = error.orig
    while cause is not None and not isinstance(cause, DRIVER_ERRORS):
        cause = cause.__cause__
    return cause or error.orig or error
