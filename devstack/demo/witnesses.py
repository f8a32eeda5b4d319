"""Asks every party for what it says of a checkout: the gateways, the ledger, the API, Temporal."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from devstack.demo import units
from devstack.demo.accounts import Account, Stated
from devstack.demo.agreement import Booked
from devstack.demo.evidence import (
    Afterwards,
    Disputed,
    Evidence,
    Kind,
    Learnt,
    Movement,
    Refunded,
    Standing,
    WorkflowEnd,
    still_final,
)
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
    "dispute": Kind.WITHDRAWN,
    "dispute_reversed": Kind.REINSTATED,
}
# For each of our transactions, the account that tells its amount, and with which sign. What a person wrote off is not
# among them: it moves money of ours from one account to another, and none at a gateway.
_ON_BOOKS = {
    "authorize": (Kind.HOLD, "authorized", 1),
    "void": (Kind.RELEASE, "authorized", -1),
    "capture": (Kind.TAKE, "balance", 1),
    "capture_failed": (Kind.TAKE_BACK, "balance", -1),
    "refund": (Kind.REFUND, "refunds_pending", -1),
    "refund_settled": (Kind.REFUND_FINAL, "balance", -1),
    "refund_failed": (Kind.REFUND_BACK, "sales", -1),
    "dispute_withdrawn": (Kind.WITHDRAWN, "balance", -1),
    "dispute_reinstated": (Kind.REINSTATED, "balance", 1),
}
_OF_DISPUTES = frozenset({Kind.WITHDRAWN, Kind.REINSTATED})


@dataclass(frozen=True)
class Parties:
    """Who is asked over HTTP."""

    shop: Shop
    side: GatewaySide
    accounts: Mapping[str, Account]
    booked_before: int
    """How far the gateways' books were when the run began."""
    begun: datetime
    """When it began: what is older belongs to a run that was broken off, and may still come to its end."""


class Witnesses:
    """All parties, asked independently of each other."""

    def __init__(self, parties: Parties, books: Books, temporal: Client) -> None:
        self._shop = parties.shop
        self._side = parties.side
        self._accounts = parties.accounts
        self._before, self._begun = parties.booked_before, parties.begun
        self._books = books
        self._temporal = temporal

    async def all_booked(self) -> list[Booked]:
        """Every movement at every gateway since the run began, without those of earlier runs' checkouts."""
        rows = [row for row in await self._side.rows("/books") if row["sequence"] > self._before]
        earlier = {id_ for id_ in {row["checkout_id"] for row in rows} if id_ and await self._is_earlier(id_)}
        return [Booked(row["checkout_id"], str(_moved(row))) for row in rows if row["checkout_id"] not in earlier]

    async def _is_earlier(self, checkout_id: str) -> bool:
        record = await self._books.get(checkout_id)
        return record is not None and record.checkout.created_at < self._begun

    async def all_about(self, checkout_id: str, parts: tuple[int, ...] = ()) -> Evidence:
        """Everything that is said of the checkout and of its tenders; `parts` are the captures that the shop asked for.

        What the gateways have done is asked for last: nothing can be on the books before it has happened there.
        """
        checkout = await self._shop.checkout(checkout_id)
        legs = [await self.all_about(str(tender["id"])) for tender in checkout.get("tenders") or ()]
        afterwards = await self._afterwards(checkout_id)
        workflows = [end for id_ in _workflow_ids(checkout_id, afterwards) if (end := await self._workflow(id_))]
        timeline, postings = await self._books.timeline(checkout_id), await self._books.postings(checkout_id)
        booked = await self._side.rows("/books", checkout_id=checkout_id)
        stated = await self._stated(checkout_id, booked)
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
            moved=still_final((*map(_moved, booked), *finals)),
            ledger=still_final(movements_of(postings)),
            api=Standing(checkout["state"], checkout["amount_captured"], checkout["amount_refunded"]),
            timeline=tuple(Learnt(row.state, row.cause) for row in timeline),
            workflows=tuple(workflows),
            stated={name: one.takes for name, one in stated.items() if one.takes is not None},
            left=_left(timeline),
            legs=tuple(legs),
            route=_route(timeline),
            parts=parts,
            afterwards=afterwards,
        )

    async def _afterwards(self, checkout_id: str) -> Afterwards:
        """The checkout's refunds, disputes and cases by our API."""
        refunds = await self._shop.refunds(checkout_id)
        disputes = await self._shop.disputes(checkout_id)
        cases = await self._shop.cases(checkout_id)
        still_open = sum(case["closed_at"] is None for case in cases)
        return Afterwards(
            refunds=tuple(Refunded(r["id"], r["gateway_refund_id"], r["status"], r["amount"]) for r in refunds),
            disputes=tuple(
                Disputed(d["id"], _own_name(d["gateway_dispute_id"]), d["state"], d["amount_withdrawn"])
                for d in disputes
            ),
            cases_open=still_open,
            cases_closed=len(cases) - still_open,
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
        try:
            described = await self._described(workflow_id)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                while _status(described) is WorkflowExecutionStatus.RUNNING:
                    await asyncio.sleep(0.1)
                    described = await self._described(workflow_id)
        except TimeoutError:
            pass
        standing = word = None
        if (status := _status(described)) is WorkflowExecutionStatus.COMPLETED:
            standing, word = await self._last_word(workflow_id)
        return WorkflowEnd(workflow_id, described.execution.run_id, status.name, standing, word)

    async def _described(self, workflow_id: str) -> WorkflowExecutionInfo:
        """As the server has it: the SDK's own reading fails on the attributes that a time-skipping server answers."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._temporal.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
        answer = await self._temporal.workflow_service.describe_workflow_execution(request)
        return answer.workflow_execution_info

    async def _last_word(self, workflow_id: str) -> tuple[Standing | None, str | None]:
        of_checkout = workflow_id.startswith(("checkout/", "late/"))
        handle: WorkflowHandle[Any, Any] = self._temporal.get_workflow_handle(
            workflow_id, result_type=CheckoutStatus if of_checkout else str
        )
        match await handle.result():
            case CheckoutStatus() as status:
                return Standing(status.state, status.captured_minor, status.refunded_minor), None
            case said:
                return None, str(said)


def _status(described: WorkflowExecutionInfo) -> WorkflowExecutionStatus:
    return WorkflowExecutionStatus(described.status)


def _workflow_ids(checkout_id: str, afterwards: Afterwards) -> Iterator[str]:
    yield from (f"checkout/{checkout_id}", f"late/{checkout_id}")
    yield from (f"refund/{refund.refund_id}" for refund in afterwards.refunds)
    yield from (f"dispute/{dispute.dispute_id}" for dispute in afterwards.disputes)


def movements_of(rows: Sequence[PostingRow]) -> tuple[Movement, ...]:
    """The movements that the postings tell, one for each transaction, in the order of the books."""
    found: list[Movement] = []
    for transaction_id in dict.fromkeys(row.transaction_id for row in rows):
        found += _movements([row for row in rows if row.transaction_id == transaction_id])
    return tuple(found)


def _movements(lines: Sequence[PostingRow]) -> Iterator[Movement]:
    """What one transaction is at the gateway: nothing, one movement, or with the last part of a hold two."""
    first = lines[0]
    if first.kind not in _ON_BOOKS:
        return
    kind, account, sign = _ON_BOOKS[first.kind]
    amount = sign * _on_account(lines, account)
    # Postings of one transaction that stood on two gateways' accounts would be no movement of either.
    gateway = "+".join(sorted({row.account.rpartition(":")[0] for row in lines}))
    reference = _own_name(first.reference) if kind in _OF_DISPUTES else first.reference
    yield Movement(kind, gateway, reference, amount, first.currency)
    rest = _on_account(lines, "holds") - amount
    if kind is Kind.TAKE and rest > 0:
        yield Movement(Kind.RELEASE, gateway, reference, rest, first.currency)


def _on_account(lines: Sequence[PostingRow], account: str) -> int:
    return sum(row.amount_minor for row in lines if row.account.endswith(f":{account}"))


def _moved(row: Json) -> Movement:
    kind = _AT_GATEWAY[row["operation"]]
    reference = str(row["dispute"] if kind in _OF_DISPUTES else row["refund"] or row["payment"])
    return units.movement(kind, row["gateway"], reference, row["amount"], row["currency"])


def _own_name(dispute: str) -> str:
    """A dispute as the gateway itself names it: where that does not tell whose it is, our name for it begins so."""
    return dispute.rpartition(":")[2]


def _left(timeline: Sequence[TimelineRow]) -> tuple[str, ...]:
    """The gateways that the saga gave up before its payment was opened, in order."""
    return tuple(str(row.details["from"]) for row in timeline if row.key.partition(":")[0] == "failed_over")


def _route(timeline: Sequence[TimelineRow]) -> str | None:
    """Why the rules chose the gateway, as the first row has it."""
    return str(timeline[0].details["route"]) if timeline and "route" in timeline[0].details else None
