"""The types of single members of what may be sent: each bound in one place."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from activities.guard import OPERATIONS
from domain.country import COUNTRIES
from domain.currency import exponent_of
from domain.errors import UnknownCurrencyError
from domain.money import LARGEST_MINOR


def printable(value: str) -> str:
    """The text, where a person can see all of it. Raises ValueError."""
    if not value.isprintable():
        raise ValueError("must hold printable characters only")
    return value


def said(value: str) -> str:
    """The text, where there is more to it than spaces. Raises ValueError."""
    if not value.strip():
        raise ValueError("must say something")
    return value


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            # Near the first and the last year an offset can lead to a moment that no calendar has.
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time with its offset, like 2026-11-22T15:36:50Z")


def _currency(value: str) -> str:
    try:
        exponent_of(value)
    except UnknownCurrencyError as error:
        raise ValueError(str(error)) from None
    return value


def _operation(value: str) -> str:
    if value not in OPERATIONS:
        raise ValueError(f"must be one of: {', '.join(OPERATIONS)}")
    return value


def _country(value: str) -> str:
    if value not in COUNTRIES:
        raise ValueError("must be an ISO 3166 country code of two capital letters, like 'DE'")
    return value


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("must be an http:// or https:// address without user and password")
    if not value.isascii() or not value.isprintable() or " " in value or parts.port == 0:
        raise ValueError("must be an address in plain ASCII, everything else percent-encoded")
    return value


Operation = Annotated[str, AfterValidator(_operation), Field(json_schema_extra={"enum": [*OPERATIONS]})]
OrderId = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
MetadataName = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(printable)]
MetadataValue = Annotated[str, Field(max_length=500)]
Statement = Annotated[str, Field(min_length=1, max_length=20_000)]
GatewayName = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]
Cursor = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[ -~]+$")]
PageSize = Annotated[int, Field(ge=1, le=200)]
CheckoutId = Annotated[str, Field(pattern=r"^chk_[0-9A-Za-z]{24}$")]
Word = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(printable)]
Moment = Annotated[datetime, BeforeValidator(_moment), Field(json_schema_extra={"examples": ["2026-11-22T15:36:50Z"]})]
Currency = Annotated[str, AfterValidator(_currency)]
Country = Annotated[str, AfterValidator(_country)]
WebAddress = Annotated[str, Field(max_length=2048), AfterValidator(_web_address)]
Minor = Annotated[int, Field(gt=0, le=LARGEST_MINOR)]


class Sent(BaseModel):
    """A body: strict types, no unknown members."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
