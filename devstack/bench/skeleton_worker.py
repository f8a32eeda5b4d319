"""The skeleton's worker, a process of its own like ours: `python -m devstack.bench.skeleton_worker`."""

import asyncio
import signal
import time

import uvloop
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from config.settings import TemporalSettings
from devstack import temporal
from devstack.bench.skeleton import TASK_QUEUE, Skeleton, call, note


async def main() -> None:
    """Work until SIGTERM, with the loop, the runner, the pollers and the cache of our own worker."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await temporal.connect(TemporalSettings.read())
    assert client is not None, "the stack was ready before"
    pollers = PollerBehaviorAutoscaling(minimum=2, maximum=20, initial=5)
    async with Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Skeleton],
        activities=[call, note],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=2000,
        max_concurrent_activities=100,
        workflow_task_poller_behavior=pollers,
        activity_task_poller_behavior=pollers,
    ):
        print("worker ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    time.sleep(0.2)  # the SDK's native threads may crash an interpreter that ends at once (temporalio/sdk-python#300)
