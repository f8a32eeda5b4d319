"""What an operator sees of a checkout in the Temporal UI."""

from datetime import UTC, datetime

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import WorkflowExecutionDescription

from domain.saga import SagaPolicy
from tests.workflows.support import Shop, eventually


async def described(shop: Shop, workflow_id: str) -> WorkflowExecutionDescription:
    """The workflow as the server shows it."""
    return await shop.parts.client.get_workflow_handle(workflow_id).describe()


def attributes(description: WorkflowExecutionDescription) -> dict[str, object]:
    """Its search attributes by name."""
    return {pair.key.name: pair.value for pair in description.typed_search_attributes if pair.key.name != "BuildIds"}


async def test_a_waiting_checkout_says_what_it_waits_for(shop: Shop) -> None:
    """Summary, search attributes and current details tell order, amount, gateway, what is awaited and since when."""
    checkout = await shop.open(email="ada@example.com", metadata={"note": "private"})
    description = await described(shop, checkout.workflow_id)
    assert await description.static_summary() == f"order {checkout.order_id}: 42.00 USD at stripe"
    seen = attributes(description)
    since = seen.pop("WaitingSince")
    assert isinstance(since, datetime)
    assert abs((datetime.now(UTC) - since).total_seconds()) < 60
    assert seen == {
        "PaymentState": "awaiting_payment",
        "Gateway": "stripe",
        "OrderId": checkout.order_id,
        "AmountMinor": 4200,
        "Currency": "USD",
        "Stuck": False,
    }
    details = await shop.handle(checkout).query("__temporal_workflow_metadata")
    assert "**Waits for** the customer to pay, since 2" in str(details)


async def test_nothing_personal_reaches_temporal(shop: Shop) -> None:
    """Neither the customer's address nor the shop's metadata stand anywhere in the history."""
    checkout = await shop.open(email="ada@example.com", metadata={"note": "private"})
    await shop.pay(checkout)
    await shop.handle(checkout).result()
    history = (await shop.handle(checkout).fetch_history()).to_json()
    description = str((await described(shop, checkout.workflow_id)).raw_description)
    for secret in ("ada@example.com", "YWRhQGV4YW1wbGU", "private"):
        assert secret not in history
        assert secret not in description


async def test_an_ended_checkout_waits_for_nothing(shop: Shop) -> None:
    """WaitingSince is gone at the end, and the state is the final one."""
    checkout = await shop.open()
    await shop.pay(checkout)
    await shop.handle(checkout).result()
    seen = attributes(await described(shop, checkout.workflow_id))
    assert seen["PaymentState"] == "completed"
    assert "WaitingSince" not in seen


async def test_stuck_checkouts_are_found_by_a_query(shop: Shop) -> None:
    """`Stuck = true` lists what a person should look at, with the attempt and the last failure; and no more after."""
    checkout = await shop.record()
    await shop.fault("payment_intents.create", "unavailable_503", checkout, count=1000)
    await shop.sagas(SagaPolicy(20, 60, 1)).start(checkout)
    query = f"Stuck = true AND ExecutionStatus = 'Running' AND OrderId = '{checkout.order_id}'"
    client = shop.parts.client

    async def found() -> list[str]:
        request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=query)
        answer = await client.workflow_service.list_workflow_executions(request)
        return [row.execution.workflow_id for row in answer.executions]

    assert await eventually(found, bool) == [checkout.workflow_id]
    details = str(await shop.handle(checkout).query("__temporal_workflow_metadata"))
    assert "**Stuck**" in details
    assert "OutcomeUnknown" in details
    await shop.sandbox.delete("/sandbox/faults")
    await shop.handle(checkout).signal("retry_now")
    await shop.until(checkout, "awaiting_payment")
    assert await eventually(found, lambda rows: not rows) == []
