"""Weeks in seconds: a Temporal server that skips time, and the sandbox's clock that goes along with it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.client import ClientConfig, Plugin
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode, ServiceClient
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from devstack.errors import StackError
from workflows.payloads import DATA_CONVERTER
from workflows.search_attributes import SEARCH_ATTRIBUTES, add_search_attributes

_STEP = timedelta(hours=6)
_BEHIND = timedelta(seconds=1)
_LONGEST_STEP = timedelta(minutes=3)


@asynccontextmanager
async def time_skipping_server() -> AsyncIterator[WorkflowEnvironment]:
    """A server of its own: no clock goes back, so nothing else may live on it."""
    server = Path(sys.executable).with_name("temporal-test-server")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=DATA_CONVERTER, plugins=[_NoPings()]
    ) as environment:
        # An attribute the server does not know would stop its clock for good.
        await add_search_attributes(environment.client, SEARCH_ATTRIBUTES)
        yield environment


class _NoPings(Plugin):
    """This server cuts off a client that pings it on a quiet connection, and with it the calls that are under way."""

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """Leave the rest as it is."""
        return config

    async def connect_service_client(
        self,
        config: ConnectConfig,
        next: Callable[[ConnectConfig], Awaitable[ServiceClient]],  # noqa: A002
    ) -> ServiceClient:
        """Connect without pings."""
        return await next(replace(config, keep_alive_config=None))


class LongClock:
    """The time of workflows, activities and gateways alike, which only `pass_time` moves on.

    The server leaps from timer to timer. Before each activity the sandbox is brought to the server's time, so that a
    gateway never seems to live in the past of the saga that asks it.
    """

    def __init__(self, environment: WorkflowEnvironment, sandbox: httpx.AsyncClient) -> None:
        self._environment, self._sandbox = environment, sandbox
        self._ahead = timedelta()
        self._one_at_a_time = asyncio.Lock()

    def now(self) -> datetime:
        """The time as it was last brought to the sandbox."""
        return datetime.now(UTC) + self._ahead

    async def bring_along(self) -> None:
        """Bring the sandbox to the server's time; what is due there by then happens."""
        async with self._one_at_a_time:
            behind = await self._environment.get_current_time() - self.now()
            if behind > _BEHIND:
                answer = await self._sandbox.post("/sandbox/clock", json={"advance_seconds": behind.total_seconds()})
                answer.raise_for_status()
                self._ahead += behind

    async def pass_time(self, span: timedelta, settle: Callable[[], Awaitable[None]], step: timedelta = _STEP) -> None:
        """Let this much time pass, step by step; `settle` waits after each for what the gateways have told."""
        end = self.now() + span
        while (left := end - self.now()) > _BEHIND:
            await self._skip(min(step, left))
            await self.bring_along()
            await settle()

    async def _skip(self, span: timedelta) -> None:
        """As the environment's own sleep, which has the patience of half a minute only: too little for a full day.

        Raises StackError when the clock stands still: this server never ends the task of a workflow that cancels a
        timer in the moment in which it fires (temporalio/sdk-java#3088), and skips no time meanwhile.
        """
        request = SleepRequest()
        request.duration.FromTimedelta(span)
        try:
            await self._environment.client.test_service.unlock_time_skipping_with_sleep(request, timeout=_LONGEST_STEP)
        except RPCError as error:
            if error.status is not RPCStatusCode.CANCELLED:
                raise
            raise StackError(f"the clock of the server that skips time has stood still since {self.now()}") from error

    def interceptor(self) -> Interceptor:
        """What a worker on this server needs."""
        return _BringAlong(self)


class _BringAlong(Interceptor):
    def __init__(self, clock: LongClock) -> None:
        self._clock = clock

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Activity(next, self._clock)


class _Activity(ActivityInboundInterceptor):
    def __init__(self, next_: ActivityInboundInterceptor, clock: LongClock) -> None:
        super().__init__(next_)
        self._clock = clock

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        await self._clock.bring_along()
        return await super().execute_activity(input)
