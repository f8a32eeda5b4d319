"""Asks every party for what it says of a checkout: the gateway, the ledger, the API, Temporal."""

import asyncio
from collections.abc import Sequence
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from devstack.demo.evidence import Evidence, Kind, Learnt, Movement, Standing, WorkflowEnd
from devstack.demo.people import GatewaySide, Json, Shop
from domain.checkout import CheckoutStatus
from ledger.books import Books
from ledger.contract import PostingRow

_CLOSE_SECONDS = 10.0
"""A workflow closes a moment after its last words are on the books."""
_AT_GATEWAY = {
    "authorization": Kind.HOLD,
    "release": Kind.RELEASE,
    "charge": Kind.TAKE,
    "capture": Kind.TAKE,
    "refund": Kind.REFUND,
    "refund_failure": Kind.REFUND_BACK,
    "refund_cancellation": Kind.REFUND_BACK,
}
# For each of our transactions, the account that tells its amount, and with which sign.
_ON_BOOKS = {
    "authorize": (Kind.HOLD, "authorized", 1),
    "void": (Kind.RELEASE, "authorized", -1),
    "capture": (Kind.TAKE, "balance", 1),
    "refund": (Kind.REFUND, "refunds_pending", -1),
    "refund_settled": (Kind.REFUND_FINAL, "balance", -1),
    "refund_failed": (Kind.REFUND_BACK, "sales", -1),
}
# Stripe counts these in hundredths although they have none. Not taken from the adapter on purpose: it is judged here.
_HUNDREDTHS = frozenset({"ISK", "UGX"})


class Witnesses:
    """All parties, asked independently of each other."""

    def __init__(self, shop: Shop, gateway: GatewaySide, books: Books, temporal: Client) -> None:
        self._shop = shop
        self._gateway = gateway
        self._books = books
        self._temporal = temporal

    async def all_about(self, checkout_id: str) -> Evidence:
        """Everything that is said of the checkout."""
        checkout = await self._shop.checkout(checkout_id)
        workflows = [await self._workflow(f"checkout/{checkout_id}"), await self._workflow(f"late/{checkout_id}")]
        payments = await self._gateway.objects(
            "/payment_intents/search", query=f"metadata['checkout_id']:'{checkout_id}'"
        )
        charges = [charge for p in payments for charge in await self._of_payment("/charges", p)]
        refunds = [refund for p in payments for refund in await self._of_payment("/refunds", p)]
        moved = await self._gateway.rows("/books", checkout_id=checkout_id)
        return Evidence(
            checkout_id=checkout_id,
            order_id=checkout["order_id"],
            amount_minor=checkout["amount"],
            currency=checkout["currency"],
            payments=len(payments),
            attempts=len(charges),
            gateway=(*map(_moved, moved), *(_final(refund) for refund in refunds if refund["status"] == "succeeded")),
            ledger=movements_of(await self._books.postings(checkout_id)),
            api=Standing(checkout["state"], checkout["amount_captured"], checkout["amount_refunded"]),
            timeline=tuple(Learnt(row.state, row.cause) for row in await self._books.timeline(checkout_id)),
            workflows=tuple(end for end in workflows if end is not None),
        )

    async def _of_payment(self, path: str, payment: Json) -> list[Json]:
        return await self._gateway.objects(path, payment_intent=payment["id"])

    async def _workflow(self, workflow_id: str) -> WorkflowEnd | None:
        """How it ended; None when there never was one."""
        handle = self._temporal.get_workflow_handle(workflow_id, result_type=CheckoutStatus)
        try:
            described = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                while described.status is WorkflowExecutionStatus.RUNNING:
                    await asyncio.sleep(0.1)
                    described = await handle.describe()
        except TimeoutError:
            pass
        standing = None
        if described.status is WorkflowExecutionStatus.COMPLETED:
            status = await handle.result()
            standing = Standing(status.state, status.captured_minor, status.refunded_minor)
        name = described.status.name if described.status else "UNKNOWN"
        return WorkflowEnd(workflow_id, described.run_id, name, standing)


def movements_of(rows: Sequence[PostingRow]) -> tuple[Movement, ...]:
    """The movements that the postings tell, one for each transaction, in the order of the books."""
    found = []
    for transaction_id in dict.fromkeys(row.transaction_id for row in rows):
        lines = [row for row in rows if row.transaction_id == transaction_id]
        kind, account, sign = _ON_BOOKS[lines[0].kind]
        amount = sign * sum(row.amount_minor for row in lines if row.account.endswith(f":{account}"))
        found.append(Movement(kind, lines[0].reference, amount, lines[0].currency))
    return tuple(found)


def _moved(row: dict[str, Any]) -> Movement:
    return _stated(_AT_GATEWAY[row["operation"]], row["refund"] or row["payment_intent"], row)


def _final(refund: Json) -> Movement:
    return _stated(Kind.REFUND_FINAL, refund["id"], refund)


def _stated(kind: Kind, reference: str, row: dict[str, Any]) -> Movement:
    currency, amount = str(row["currency"]).upper(), int(row["amount"])
    if currency in _HUNDREDTHS:
        whole, rest = divmod(amount, 100)
        # What is no whole amount of ours stays in the gateway's unit, where it equals nothing on our books.
        amount, currency = (amount, f"{currency}/100") if rest else (whole, currency)
    return Movement(kind, reference, amount, currency)
