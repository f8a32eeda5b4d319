"""Rolling out: running checkouts stay with their build, new ones take the new, and an old one is seen to drain."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import Client

import worker
from devstack import temporal, versions
from devstack.errors import StackError
from devstack.layout import ROOT
from domain.checkout import CaptureMode, Checkout
from tests.workflows.after_sale import refund, refund_handle, refund_now, refund_until, sold
from tests.workflows.support import Shop, eventually

HOLD = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 3600}
NEVER_STARTED = "never-started"


@asynccontextmanager
async def build(shop: Shop, name: str) -> AsyncIterator[Shop]:
    """The shop, worked for by a worker of this build alone, on a task queue of the builds' own."""
    parts = replace(shop.parts, build_id=name, task_queue=f"{shop.parts.task_queue}-builds")
    async with worker.running(parts):
        yield replace(shop, parts=parts)


def cli(shop: Shop, *arguments: str) -> str:
    """What the operator's command says."""
    address = ("--address", shop.parts.client.service_client.config.target_host)
    done = subprocess.run(
        (temporal.binary(), *arguments, *address), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def held(shop: Shop) -> Checkout:
    """A checkout that is paid and waits for its shop."""
    checkout = await shop.open(**HOLD)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    return checkout


async def started_on(shop: Shop, name: str) -> Checkout:
    """A checkout that waits for its shop and began on this build; the server takes a moment to heed a promotion."""
    for _ in range(30):
        checkout = await held(shop)
        if await build_of(shop.parts.client, checkout) == name:
            return checkout
        await asyncio.sleep(0.5)
    raise AssertionError(f"no checkout starts on {name}")


async def build_of(client: Client, checkout: Checkout) -> str:
    """The build that the checkout's workflow is pinned to."""
    told = await client.get_workflow_handle(checkout.workflow_id).describe()
    return told.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id


async def test_a_rollout(shop: Shop) -> None:
    """Old checkouts end on the old build while new ones start on the new; then the old one is drained and may go."""
    client = shop.parts.client
    async with build(shop, "v1") as old:
        await versions.promote(client, "v1")
        before = await held(old)
        async with build(shop, "v2") as new:
            await versions.promote(client, "v2")
            after = await started_on(new, "v2")
            assert await build_of(client, before) == "v1"
            assert (await versions.drainage(client))["v1"] == "draining"
            for checkout in (before, after):
                await new.tell(checkout, "confirm")
                await shop.until(checkout, "completed")
            assert await build_of(client, before) == "v1"


async def test_a_checkout_whose_build_is_gone_waits_until_it_is_moved(shop: Shop) -> None:
    """Nobody's work is done by another build unasked; the operator's command moves it, and it goes on."""
    client = shop.parts.client
    async with build(shop, "v3") as old:
        await versions.promote(client, "v3")
        checkout = await held(old)
    async with build(shop, "v4") as new:
        await versions.promote(client, "v4")
        confirming = asyncio.create_task(new.sagas().confirm(checkout, 30))
        await asyncio.sleep(2)
        assert (await shop.status(checkout)).state == "authorized"
        cli(
            shop,
            "workflow",
            "update-options",
            "-w",
            checkout.workflow_id,
            "--versioning-override-behavior",
            "auto_upgrade",
        )
        assert await confirming
        await shop.until(checkout, "completed")


async def test_the_compose_stack_promotes_by_the_same_command(shop: Shop) -> None:
    """The script that compose runs waits for the build's first poll and makes it the current one."""
    address = shop.parts.client.service_client.config.target_host
    environment = os.environ | {
        "PATH": f"{Path(temporal.binary()).parent}:{os.environ['PATH']}",
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_NAMESPACE": "default",
        "BUILD_ID": "v5",
    }
    script = await asyncio.create_subprocess_exec(
        "sh", str(ROOT / "deploy/temporal/promote.sh"), env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with build(shop, "v5") as new:
            assert await asyncio.wait_for(script.wait(), 60) == 0
            await started_on(new, "v5")
    finally:
        if script.returncode is None:
            script.kill()
        await script.wait()


async def test_a_build_without_workers_is_never_current(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkouts that nobody works for would be lost sales."""
    monkeypatch.setattr(versions, "_KNOWN_SECONDS", 1.0)
    with pytest.raises(StackError, match=NEVER_STARTED):
        await versions.promote(shop.parts.client, NEVER_STARTED)


async def test_what_lives_for_weeks_moves_on_by_itself(shop: Shop) -> None:
    """A refund that waits for its gateway is not pinned: its old build may go, and the current one ends it."""
    client = shop.parts.client
    async with build(shop, "v6") as old:
        await versions.promote(client, "v6")
        record = await refund(old, await sold(old, means="refund_pending"), 4200)
        await eventually(lambda: refund_now(old, record), lambda known: known.gateway_refund_id is not None)
    async with build(shop, "v7") as new:
        await versions.promote(client, "v7")
        await new.world("stripe").settle()
        await refund_until(new, record, "succeeded")
        await refund_handle(new, record).result()
