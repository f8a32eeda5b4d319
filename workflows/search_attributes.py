"""What operators search workflows by in the Temporal UI. No personal data: search attributes are never encrypted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from domain.dispute import DisputeSnapshot
from domain.money import Money
from domain.payment import RefundStatus
from domain.refund import Refund
from domain.saga import CheckoutCommand

PAYMENT_STATE = SearchAttributeKey.for_keyword("PaymentState")
GATEWAY = SearchAttributeKey.for_keyword("Gateway")
ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
AMOUNT_MINOR = SearchAttributeKey.for_int("AmountMinor")
CURRENCY = SearchAttributeKey.for_keyword("Currency")
WAITING_SINCE: SearchAttributeKey[datetime] = SearchAttributeKey.for_datetime("WaitingSince")
STUCK = SearchAttributeKey.for_bool("Stuck")
WEBHOOK_ENDPOINT = SearchAttributeKey.for_keyword("WebhookEndpoint")
EVENT_TYPE = SearchAttributeKey.for_keyword("EventType")

AnyKey = SearchAttributeKey[Any]

SEARCH_ATTRIBUTES: tuple[AnyKey, ...] = (
    PAYMENT_STATE,
    GATEWAY,
    ORDER_ID,
    AMOUNT_MINOR,
    CURRENCY,
    WAITING_SINCE,
    STUCK,
    WEBHOOK_ENDPOINT,
    EVENT_TYPE,
)


def at_start(command: CheckoutCommand) -> TypedSearchAttributes:
    """The attributes a checkout starts with; given at the start they cost no event."""
    return _attributes("processing", command.gateway, command.order_id, command.amount)


def of_refund(refund: Refund, order_id: str, gateway: str) -> TypedSearchAttributes:
    """The attributes that a refund's workflow starts with."""
    return _attributes(RefundStatus.PENDING, gateway, order_id, refund.amount)


def of_dispute(dispute: DisputeSnapshot, order_id: str) -> TypedSearchAttributes:
    """The attributes that a dispute's workflow starts with."""
    return _attributes(dispute.state, dispute.gateway, order_id, dispute.amount)


def of_delivery(endpoint_id: str, event_type: str) -> TypedSearchAttributes:
    """The attributes that the delivery of an event to a shop's endpoint starts with."""
    return TypedSearchAttributes(
        [SearchAttributePair(WEBHOOK_ENDPOINT, endpoint_id), SearchAttributePair(EVENT_TYPE, event_type)]
    )


def _attributes(state: str, gateway: str, order_id: str, amount: Money) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(PAYMENT_STATE, str(state)),
            SearchAttributePair(GATEWAY, gateway),
            SearchAttributePair(ORDER_ID, order_id),
            SearchAttributePair(AMOUNT_MINOR, amount.minor),
            SearchAttributePair(CURRENCY, amount.currency),
            SearchAttributePair(STUCK, False),
        ]
    )


async def ensure_search_attributes(client: Client) -> list[str]:
    """Register what the server does not have yet; answers the names added. Must run before a worker starts.

    An attribute the server does not know makes a workflow task fail and be retried for ever.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    known = (await client.operator_service.list_search_attributes(request)).custom_attributes
    missing = [key for key in SEARCH_ATTRIBUTES if key.name not in known]
    if missing:
        try:
            await add_search_attributes(client, missing)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:  # somebody else was faster
                raise
    return sorted(key.name for key in missing)


async def add_search_attributes(client: Client, keys: Sequence[AnyKey]) -> None:
    """Register these attributes, which the server must not have yet."""
    types = {key.name: IndexedValueType.ValueType(key.indexed_value_type) for key in keys}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
    await client.operator_service.add_search_attributes(request)
