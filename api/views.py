"""What is answered: the shapes of checkouts, timeline rows and postings as JSON."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from domain.checkout import SPLIT, Checkout, CheckoutRecord, CheckoutStatus, HoldPolicy
from domain.payment import NextAction
from domain.states import CheckoutState
from domain.timeline import JsonScalar, TimelineRow
from gateways.registry import REGISTRY
from ledger.contract import Page, PostingRow

_EXAMPLE: JsonDict = {
    "id": "chk_7Q2mJ4vX9bTzK1nRc8WsLh3P",
    "order_id": "order-1001",
    "state": "awaiting_payment",
    "amount": 4200,
    "currency": "USD",
    "gateway": next(iter(REGISTRY)),
    "amount_capturable": 0,
    "amount_captured": 0,
    "amount_refunded": 0,
    "on_hold_expiry": "cancel",
    "next_action": {"type": "confirm", "client_secret": "pi_3Q…_secret_…"},
    "failure": None,
    "created_at": "2026-11-22T15:36:50.120000Z",
    "updated_at": "2026-11-22T15:36:50.310000Z",
    "expires_at": "2026-11-22T16:06:50.120000Z",
    "tenders": None,
    "parent": None,
    "confirmation": {"within_seconds": 86400},
    "metadata": {"basket": "b-77"},
}


_HELD = frozenset({CheckoutState.AUTHORIZED, CheckoutState.PARTIALLY_CAPTURED})


class ConfirmView(BaseModel):
    """Confirm the payment in the shop's page with the client secret, or at `url`, a page that does so."""

    type: Literal["confirm"] = "confirm"
    client_secret: str
    url: str | None = Field(default=None, exclude_if=lambda value: value is None)


class RedirectView(BaseModel):
    """Send the customer to this address."""

    type: Literal["redirect"] = "redirect"
    url: str


class FailureView(BaseModel):
    """Why it did not go as wished: a code for programs, a sentence for people."""

    code: str
    message: str


class TenderView(BaseModel):
    """One tender of a split checkout; it is a checkout of its own, with a timeline and postings under its id."""

    id: str
    gateway: str
    amount: int
    state: CheckoutState
    next_action: ConfirmView | RedirectView | None
    failure: FailureView | None
    amount_captured: int
    amount_refunded: int

    @classmethod
    def of(cls, leg: CheckoutRecord) -> "TenderView":
        """The tender as the API shows it."""
        return cls(
            id=leg.checkout.id,
            gateway=leg.checkout.gateway,
            amount=leg.checkout.amount.minor,
            state=leg.status.state,
            next_action=_action(leg.status.next_action),
            failure=_failure(leg.status),
            amount_captured=leg.status.captured_minor,
            amount_refunded=leg.status.refunded_minor,
        )


class ConfirmationView(BaseModel):
    """The shop has to say, after the payment, whether it keeps the order; its silence for so long undoes the sale."""

    within_seconds: int


class CheckoutView(BaseModel):
    """A checkout and where it stands. Amounts are in minor units of the currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str
    order_id: str
    state: CheckoutState
    amount: int
    currency: str
    gateway: str = Field(description=f"`{SPLIT}` where several tenders pay it.")
    amount_capturable: int = Field(description="What is held and may still be captured.")
    amount_captured: int = Field(description="What was taken in all; refunds do not lower it.")
    amount_refunded: int = Field(description="What was given back; a refund counts once it is final.")
    on_hold_expiry: HoldPolicy = Field(description="What becomes of a hold about to lapse while the shop is silent.")
    next_action: ConfirmView | RedirectView | None = Field(description="What the customer has to do next.")
    failure: FailureView | None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    tenders: list[TenderView] | None = Field(description="Those of a split checkout, in their order; else null.")
    parent: str | None = Field(description="The split checkout of which this is one tender.")
    confirmation: ConfirmationView | None = Field(description="Null where the shop's word is not waited for.")
    metadata: dict[str, str] | None = Field(description="The shop's own, as it was sent; a tender has none.")

    @classmethod
    def of(cls, record: CheckoutRecord, legs: Sequence[CheckoutRecord] = ()) -> "CheckoutView":
        """The record as the API shows it; `legs` are those of a split checkout, whose sums are its own."""
        checkout, status = record.checkout, record.status
        paid = list(legs) if checkout.is_split else [record]
        return cls(
            id=checkout.id,
            order_id=checkout.order_id,
            state=status.state,
            amount=checkout.amount.minor,
            currency=checkout.amount.currency,
            gateway=record.gateway,
            amount_capturable=sum(_capturable(one) for one in paid),
            amount_captured=sum(one.status.captured_minor for one in paid),
            amount_refunded=sum(one.status.refunded_minor for one in paid),
            on_hold_expiry=checkout.on_hold_expiry,
            next_action=_action(status.next_action),
            failure=_failure(status),
            created_at=checkout.created_at,
            updated_at=record.updated_at,
            expires_at=checkout.expires_at,
            tenders=[TenderView.of(leg) for leg in legs] if checkout.is_split else None,
            parent=checkout.parent_id,
            confirmation=_confirmation(checkout),
            metadata=checkout.metadata,
        )


def _confirmation(checkout: Checkout) -> ConfirmationView | None:
    """A tender's own limit is how long it waits for its split checkout, of which the shop need not know."""
    if checkout.confirm_within_seconds is None or checkout.parent_id is not None:
        return None
    return ConfirmationView(within_seconds=checkout.confirm_within_seconds)


def _capturable(record: CheckoutRecord) -> int:
    status = record.status
    return record.checkout.amount.minor - status.captured_minor if status.state in _HELD else 0


def _failure(status: CheckoutStatus) -> FailureView | None:
    return FailureView(code=status.failure.code, message=status.failure.message) if status.failure else None


def _action(action: NextAction | None) -> ConfirmView | RedirectView | None:
    match action:
        case NextAction(type="confirm", client_secret=str(secret), url=url):
            return ConfirmView(client_secret=secret, url=url)
        case NextAction(type="redirect", url=str(url)):
            return RedirectView(url=url)
        case _:
            return None


class CheckoutPage(BaseModel):
    """A page of checkouts, newest first; `next_cursor` is null on the last."""

    data: list[CheckoutView]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page, legs: Sequence[CheckoutRecord]) -> "CheckoutPage":
        """The page as the API shows it; `legs` are those of all its split checkouts."""
        tenders: dict[str | None, list[CheckoutRecord]] = {}
        for leg in legs:
            tenders.setdefault(leg.checkout.parent_id, []).append(leg)
        views = [CheckoutView.of(record, tenders.get(record.checkout.id, ())) for record in page.data]
        return cls(data=views, next_cursor=page.next_cursor)


class TimelineView(BaseModel):
    """One row of the timeline. `hash` covers the row, its postings and `previous_hash`."""

    sequence: int
    key: str = Field(description="What the row tells of, unique within the checkout; the hash covers it.")
    state: CheckoutState
    cause: str = Field(
        description="`api`, `poll`, `timer`, `operator` or `webhook:<event id>`; of a tender `split` too, of a split "
        "checkout `tender:<checkout id>`."
    )
    at: datetime
    details: dict[str, JsonScalar]
    hash: str
    previous_hash: str

    @classmethod
    def of(cls, row: TimelineRow) -> "TimelineView":
        """The row as the API shows it."""
        return cls(
            sequence=row.sequence,
            key=row.key,
            state=row.state,
            cause=row.cause,
            at=row.at,
            details=row.details,
            hash=row.hash,
            previous_hash=row.previous_hash,
        )


class TimelineList(BaseModel):
    """What happened to a checkout, in order."""

    data: list[TimelineView]

    @classmethod
    def of(cls, rows: Iterable[TimelineRow]) -> "TimelineList":
        """The rows as the API shows them."""
        return cls(data=[TimelineView.of(row) for row in rows])


class PostingView(BaseModel):
    """One posting of double entry; the postings of a transaction sum to zero per currency."""

    sequence: int
    transaction_id: str
    kind: str
    reference: str
    account: str
    amount_minor: int
    currency: str
    at: datetime


class PostingList(BaseModel):
    """The postings of a checkout, in order."""

    data: list[PostingView]

    @classmethod
    def of(cls, rows: Iterable[PostingRow]) -> "PostingList":
        """The rows as the API shows them."""
        return cls(
            data=[
                PostingView(
                    sequence=row.sequence,
                    transaction_id=row.transaction_id,
                    kind=row.kind,
                    reference=row.reference,
                    account=row.account,
                    amount_minor=row.amount_minor,
                    currency=row.currency,
                    at=row.at,
                )
                for row in rows
            ]
        )


class ProblemView(BaseModel):
    """RFC 9457 problem details. `field` is there where one field is at fault, `errors` where any is."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:paysaga:problem:validation_failed",
                    "title": "The request does not fit",
                    "status": 422,
                    "detail": "amount: Input should be greater than 0",
                    "code": "validation_failed",
                    "field": "amount",
                    "errors": [{"field": "amount", "message": "Input should be greater than 0"}],
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
