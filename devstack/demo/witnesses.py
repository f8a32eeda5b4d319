"""Asks every party for what it says of a checkout: the gateways, the ledger, the API, Temporal."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from devstack.demo import units
from devstack.demo.accounts import Account, Stated
from devstack.demo.agreement import Booked
from devstack.demo.evidence import Evidence, Kind, Learnt, Movement, Standing, WorkflowEnd
from devstack.demo.people import GatewaySide, Json, Shop
from domain.checkout import CheckoutStatus
from domain.timeline import TimelineRow
from ledger.books import Books
from ledger.contract import PostingRow

_CLOSE_SECONDS = 10.0
"""A workflow closes a moment after its last words are on the books."""
_AT_GATEWAY = {
    "authorization": Kind.HOLD,
    "release": Kind.RELEASE,
    "charge": Kind.TAKE,
    "capture": Kind.TAKE,
    "capture_failure": Kind.TAKE_BACK,
    "refund": Kind.REFUND,
    "refund_failure": Kind.REFUND_BACK,
    "refund_cancellation": Kind.REFUND_BACK,
}
# For each of our transactions, the account that tells its amount, and with which sign.
_ON_BOOKS = {
    "authorize": (Kind.HOLD, "authorized", 1),
    "void": (Kind.RELEASE, "authorized", -1),
    "capture": (Kind.TAKE, "balance", 1),
    "capture_failed": (Kind.TAKE_BACK, "balance", -1),
    "refund": (Kind.REFUND, "refunds_pending", -1),
    "refund_settled": (Kind.REFUND_FINAL, "balance", -1),
    "refund_failed": (Kind.REFUND_BACK, "sales", -1),
}


@dataclass(frozen=True)
class Parties:
    """Who is asked over HTTP."""

    shop: Shop
    side: GatewaySide
    accounts: Mapping[str, Account]
    booked_before: int
    """How far the gateways' books were when the run began."""


class Witnesses:
    """All parties, asked independently of each other."""

    def __init__(self, parties: Parties, books: Books, temporal: Client) -> None:
        self._shop = parties.shop
        self._side = parties.side
        self._accounts = parties.accounts
        self._before = parties.booked_before
        self._books = books
        self._temporal = temporal

    async def all_booked(self) -> list[Booked]:
        """Every movement at every gateway since the run began."""
        rows = [row for row in await self._side.rows("/books") if row["sequence"] > self._before]
        return [Booked(row["checkout_id"], str(_moved(row))) for row in rows]

    async def all_about(self, checkout_id: str) -> Evidence:
        """Everything that is said of the checkout and of its tenders."""
        checkout = await self._shop.checkout(checkout_id)
        legs = [await self.all_about(str(tender["id"])) for tender in checkout.get("tenders") or ()]
        workflows = [await self._workflow(f"checkout/{checkout_id}"), await self._workflow(f"late/{checkout_id}")]
        booked = await self._side.rows("/books", checkout_id=checkout_id)
        stated = await self._stated(checkout_id, booked)
        timeline = await self._books.timeline(checkout_id)
        finals = [final for one in stated.values() for final in one.finals]
        attempts = [one.attempts for name, one in stated.items() if one.payments or name == checkout["gateway"]]
        return Evidence(
            checkout_id=checkout_id,
            order_id=checkout["order_id"],
            amount_minor=checkout["amount"],
            currency=checkout["currency"],
            at=checkout["gateway"],
            payments={name: one.payments for name, one in stated.items()},
            attempts=None if None in attempts else sum(tries or 0 for tries in attempts),
            moved=(*map(_moved, booked), *finals),
            ledger=movements_of(await self._books.postings(checkout_id)),
            api=Standing(checkout["state"], checkout["amount_captured"], checkout["amount_refunded"]),
            timeline=tuple(Learnt(row.state, row.cause) for row in timeline),
            workflows=tuple(end for end in workflows if end is not None),
            stated={name: one.takes for name, one in stated.items() if one.takes is not None},
            left=_left(timeline),
            legs=tuple(legs),
            route=_route(timeline),
        )

    async def _stated(self, checkout_id: str, booked: Sequence[Json]) -> dict[str, Stated]:
        """What every gateway says, also those that the checkout should not have come near."""
        record = await self._books.get(checkout_id)
        ours = record.status.payment_id if record else None
        answers = {}
        for name, account in self._accounts.items():
            rows = [row for row in booked if row["gateway"] == name]
            known = {str(row["payment"]) for row in rows}
            if ours is not None and record is not None and record.gateway == name:
                known.add(ours)
            answers[name] = await account.about(checkout_id, sorted(known), rows)
        return answers

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
        # Postings of one transaction that stood on two gateways' accounts would be no movement of either.
        gateways = sorted({row.account.rpartition(":")[0] for row in lines})
        found.append(Movement(kind, "+".join(gateways), lines[0].reference, amount, lines[0].currency))
    return tuple(found)


def _moved(row: Json) -> Movement:
    reference = str(row["refund"] or row["payment"])
    return units.movement(_AT_GATEWAY[row["operation"]], row["gateway"], reference, row["amount"], row["currency"])


def _left(timeline: Sequence[TimelineRow]) -> tuple[str, ...]:
    """The gateways that the saga gave up before its payment was opened, in order."""
    return tuple(str(row.details["from"]) for row in timeline if row.key.partition(":")[0] == "failed_over")


def _route(timeline: Sequence[TimelineRow]) -> str | None:
    """Why the rules chose the gateway, as the first row has it."""
    return str(timeline[0].details["route"]) if timeline and "route" in timeline[0].details else None
