"""The data of every type of event, as models.

They describe what the books write and do not judge it: an event is a fact, and leaves whatever shape it has. Readers
must take fields that they do not know.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from domain.states import CheckoutState
from domain.timeline import EventType

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,200}$")]
Minor = Annotated[int, Field(ge=0)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Open(BaseModel):
    """Takes more fields than it names: additions break nobody."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)


class Details(Open):
    """What the event says beyond where the checkout stands. Texts are ids and codes, never words of a person."""

    __pydantic_extra__: dict[str, str | int | bool | None]

    captured: int | None = Field(None, description="Of a split checkout: what all its tenders have taken.")
    refunded: int | None = Field(None, description="What has gone back to the customer in all.")
    currency: Currency | None = None
    reason: Code | None = Field(None, description="Why it happened.")
    case_opened: Code | None = Field(None, description="The id of the case that a person has to look at since then.")
    case_closed: Code | None = Field(None, description="The id of the case that is closed by it.")


class CheckoutData(Open):
    """Where a checkout stands after the event. Amounts are in minor units of the currency."""

    checkout_id: Code
    order_id: str
    timeline_sequence: int = Field(ge=1, description="The row of the checkout's timeline that tells the same.")
    state: Annotated[CheckoutState, Field(strict=False)] = Field(description="The checkout's state after the event.")
    amount: Minor = Field(description="What the shop asked for.")
    currency: Currency
    gateway: str = Field(description="The gateway that has the payment, or is to have it.")
    amount_captured: Minor = Field(description="Taken from the customer so far, in all.")
    amount_refunded: Minor = Field(description="Given back to the customer so far, in all.")
    cause_kind: Code = Field(description="What made it happen: api, webhook, poll, timer, operator, split or tender.")
    at: Annotated[AwareDatetime, Field(strict=False)] = Field(description="When it happened.")
    details: Details
    parent_id: Code | None = Field(None, description="Of one tender of a split checkout: the split checkout's id.")


class TermsDetails(Details):
    """What the shop asked for."""

    amount: Minor
    currency: Currency
    gateway: Code
    capture: Code = Field(description="automatic or on_confirm.")
    leg: int | None = Field(None, description="The tender's place in its split checkout.")


class PartDetails(Details):
    """A part of the hold."""

    amount: int | None = Field(None, description="What this part took.")


class PaidDetails(Details):
    """How it was paid, where that was not the usual way."""

    evidence: Code | None = Field(None, description="Where a person saw that it is paid.")


class DeclineDetails(Details):
    """Why the gateway said no."""

    code: Code | None = Field(None, description="Our word for it.")
    gateway_code: Code | None = Field(None, description="The gateway's word for it.")
    attempt: int | str | None = Field(None, description="Which attempt of the customer's it was.")
    hard: bool | None = Field(None, description="Whether the same card would be declined again.")


class EndDetails(Details):
    """Why there is no sale."""

    reason: Code
    tender: int | None = Field(None, description="The tender that the split checkout failed for.")


class RefundDetails(Details):
    """Which refund it is about. Without an id it is the saga's own: all that was taken goes back."""

    refund_id: Code | None = Field(None, description="The shop's refund.")
    gateway_refund_id: Code | None = None
    status: Code | None = Field(None, description="pending, succeeded or failed.")
    amount: Minor | None = Field(None, description="This refund's amount.")
    code: Code | None = Field(None, description="Why it failed.")


class DisputeDetails(Details):
    """What the customer's bank disputes."""

    dispute_id: Code
    state: Code = Field(description="Where the dispute stands.")
    amount: Minor = Field(description="What is disputed.")
    withdrawn: int = Field(description="What the bank holds back at the moment.")
    currency: Currency
    gateway_dispute_id: Code | None = None
    respond_by: str | None = Field(None, description="Until when an answer counts.")


class CaseDetails(Details):
    """What a person has to decide, or has decided."""

    case_kind: Code | None = None
    case_amount: int | None = Field(None, description="What is at stake.")
    case_subject: Code | None = Field(None, description="What the case is about, where the checkout is not enough.")
    case_how: Code | None = Field(None, description="How it was closed.")
    step: Code | None = Field(None, description="What could not be done at the gateway.")


class CheckoutCreated(CheckoutData):
    """The shop has asked for a payment; it is on the books."""

    details: TermsDetails


class CheckoutOpened(CheckoutData):
    """The customer can pay."""


class CheckoutCompleted(CheckoutData):
    """The sale is made, and no confirmation of the shop was needed."""


class PaymentAuthorized(CheckoutData):
    """The gateway holds the money; none of it is taken."""


class PaymentPartiallyCaptured(CheckoutData):
    """A part of the hold is taken, the rest still held."""

    details: PartDetails


class PaymentSucceeded(CheckoutData):
    """The money is taken, all that ever will be."""

    details: PaidDetails


class PaymentDeclined(CheckoutData):
    """The gateway refused. In the state declined for good, else the customer or the shop may try again."""

    details: DeclineDetails


class PaymentCanceled(CheckoutData):
    """The checkout has ended without a sale, and nothing of the money is kept or held."""

    details: EndDetails


class PaymentExpired(CheckoutData):
    """Nobody paid in time."""

    details: EndDetails


class OrderConfirmed(CheckoutData):
    """The shop has said yes, and the sale is made."""


class OrderRejected(CheckoutData):
    """The shop has said no, or nothing in time; what was taken or held goes back."""

    details: EndDetails


class RefundCreated(CheckoutData):
    """Money is to go back."""

    details: RefundDetails


class RefundSucceeded(CheckoutData):
    """Money has gone back."""

    details: RefundDetails


class RefundFailed(CheckoutData):
    """A refund came to nothing; what was reserved for it can be given back again."""

    details: RefundDetails


class DisputeOpened(CheckoutData):
    """The customer's bank asks for money back, or asks again for what was decided."""

    details: DisputeDetails


class DisputeWon(CheckoutData):
    """The bank has decided for the shop."""

    details: DisputeDetails


class DisputeLost(CheckoutData):
    """The bank has decided for the customer."""

    details: DisputeDetails


class CaseOpened(CheckoutData):
    """A person has to look."""

    details: CaseDetails


class CaseClosed(CheckoutData):
    """A person has looked, or it has settled itself."""

    details: CaseDetails


class WebhookEndpointDisabled(Open):
    """An endpoint of the shop has taken nothing for days, or said that it is gone: nothing is sent to it any more."""

    endpoint_id: Code
    host: str = Field(description="Where it is, without the path, which may hold a secret.")
    disabled_at: Annotated[AwareDatetime, Field(strict=False)]
    reason: Code


MODELS: Mapping[EventType, type[Open]] = {
    EventType.CHECKOUT_CREATED: CheckoutCreated,
    EventType.CHECKOUT_OPENED: CheckoutOpened,
    EventType.CHECKOUT_COMPLETED: CheckoutCompleted,
    EventType.PAYMENT_AUTHORIZED: PaymentAuthorized,
    EventType.PAYMENT_PARTIALLY_CAPTURED: PaymentPartiallyCaptured,
    EventType.PAYMENT_SUCCEEDED: PaymentSucceeded,
    EventType.PAYMENT_DECLINED: PaymentDeclined,
    EventType.PAYMENT_CANCELED: PaymentCanceled,
    EventType.PAYMENT_EXPIRED: PaymentExpired,
    EventType.ORDER_CONFIRMED: OrderConfirmed,
    EventType.ORDER_REJECTED: OrderRejected,
    EventType.REFUND_CREATED: RefundCreated,
    EventType.REFUND_SUCCEEDED: RefundSucceeded,
    EventType.REFUND_FAILED: RefundFailed,
    EventType.DISPUTE_OPENED: DisputeOpened,
    EventType.DISPUTE_WON: DisputeWon,
    EventType.DISPUTE_LOST: DisputeLost,
    EventType.CASE_OPENED: CaseOpened,
    EventType.CASE_CLOSED: CaseClosed,
    EventType.WEBHOOK_ENDPOINT_DISABLED: WebhookEndpointDisabled,
}
