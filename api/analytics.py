"""`GET /v1/analytics/daily`: what each day came to, as the subscriber `analytics` has added it up so far."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.guard import GuardedRoute
from api.opening import JSON
from api.problems import invalid
from api.responses import problems
from api.services import services_of
from gateways.registry import REGISTRY
from ledger.analytics import Total

LONGEST = timedelta(days=366)
_USUAL = timedelta(days=30)
_EXAMPLE: JsonDict = {
    "day": "2026-11-22",
    "gateway": next(iter(REGISTRY)),
    "currency": "EUR",
    "created": 120,
    "authorized": 96,
    "declined": 11,
    "succeeded": 93,
    "canceled": 3,
    "expired": 14,
    "captured": {"count": 96, "amount": 403200},
    "refunded": {"count": 4, "amount": 11800},
    "refund_failed": 0,
    "disputes": {"opened": 1, "won": 0, "lost": 0, "opened_amount": 4200, "lost_amount": 0},
    "authorization_rate": 0.8972,
    "refund_rate": 0.0293,
    "dispute_rate": 0.0104,
    "mean_seconds_to_pay": 41.2,
}

router = APIRouter(prefix="/v1/analytics", route_class=GuardedRoute, tags=["analytics"])


class Days(BaseModel):
    """Which days, both included; UTC days. The last thirty unless they are named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: date | None = Field(default=None, alias="from")
    to: date | None = None
    gateway: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")] | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None


class MovedView(BaseModel):
    """Money that moved: how often, and how much in minor units of the currency."""

    count: int
    amount: int


class DisputesView(BaseModel):
    """Disputes by what became of them that day, amounts in minor units."""

    opened: int
    won: int
    lost: int
    opened_amount: int
    lost_amount: int


class DayView(BaseModel):
    """One day at one gateway in one currency. A rate is null where there is nothing to divide by."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    day: date
    gateway: str
    currency: str
    created: int
    authorized: int = Field(description="Checkouts whose money was held or taken for the first time.")
    declined: int = Field(description="Attempts that were declined.")
    succeeded: int = Field(description="Payments that were taken, all of what is to be taken.")
    canceled: int
    expired: int
    captured: MovedView
    refunded: MovedView
    refund_failed: int
    disputes: DisputesView
    authorization_rate: float | None = Field(description="Authorized, of all attempts that were decided.")
    refund_rate: float | None = Field(description="Refunded, of the amount that was captured that day.")
    dispute_rate: float | None = Field(description="Disputes opened, for each checkout that was authorized.")
    mean_seconds_to_pay: float | None = Field(description="From the checkout's creation to its first authorization.")

    @classmethod
    def of(cls, totals: Mapping[str, Total], day: date, gateway: str, currency: str) -> "DayView":
        """The day as the API shows it, from its totals by outcome."""

        def count(outcome: str) -> int:
            return totals[outcome].count if outcome in totals else 0

        def amount(outcome: str) -> int:
            return totals[outcome].amount_minor if outcome in totals else 0

        authorized, captured = count("authorized"), amount("captured")
        seconds = totals["authorized"].milliseconds / 1000 if authorized else 0.0
        return cls(
            day=day,
            gateway=gateway,
            currency=currency,
            created=count("created"),
            authorized=authorized,
            declined=count("declined"),
            succeeded=count("succeeded"),
            canceled=count("canceled"),
            expired=count("expired"),
            captured=MovedView(count=count("captured"), amount=captured),
            refunded=MovedView(count=count("refunded"), amount=amount("refunded")),
            refund_failed=count("refund_failed"),
            disputes=DisputesView(
                opened=count("dispute_opened"),
                won=count("dispute_won"),
                lost=count("dispute_lost"),
                opened_amount=amount("dispute_opened"),
                lost_amount=amount("dispute_lost"),
            ),
            authorization_rate=_rate(authorized, authorized + count("declined")),
            refund_rate=_rate(amount("refunded"), captured),
            dispute_rate=_rate(count("dispute_opened"), authorized),
            mean_seconds_to_pay=round(seconds / authorized, 3) if authorized else None,
        )


class DayList(BaseModel):
    """The days that had events, oldest first."""

    data: list[DayView]


@router.get("/daily", response_model=DayList, responses=problems(401, 403, 422, 503))
async def get_daily(request: Request, days: Annotated[Days, Query()]) -> Response:
    """What each day came to, by gateway and currency; as much of it as the subscriber has heard by now."""
    first, last = _bounds(days)
    totals = await services_of(request).analytics.daily(first, last, days.gateway, days.currency)
    return Response(DayList(data=list(_views(totals))).model_dump_json(), media_type=JSON)


def _bounds(days: Days) -> tuple[date, date]:
    last = days.to or datetime.now(UTC).date()
    first = days.first or last - _USUAL
    if first > last:
        raise invalid("from", f"must not be after to, which is {last}")
    if last - first > LONGEST:
        raise invalid("from", f"must be at most {LONGEST.days} days before to, which is {last}")
    return first, last


def _views(totals: Iterable[Total]) -> Iterator[DayView]:
    for (day, gateway, currency), group in groupby(totals, lambda one: (one.day, one.gateway, one.currency)):
        yield DayView.of({one.outcome: one for one in group}, day, gateway, currency)


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
