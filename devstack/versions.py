"""Worker deployment versions: which build new checkouts start on, and whether an old one may go."""

import asyncio

from temporalio.api.enums.v1 import VersionDrainageStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from devstack.errors import StackError
from worker import DEPLOYMENT

_KNOWN_SECONDS = 20.0
_NOT_YET = (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION)


async def promote(client: Client, build: str) -> None:
    """Let new workflows start on this build. Raises StackError when none of its workers has come to poll in time."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=DEPLOYMENT, build_id=build, identity="devstack"
    )
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _KNOWN_SECONDS
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError as error:
            # The server knows a version once one of its workers has polled.
            if error.status not in _NOT_YET or loop.time() > deadline:
                raise StackError(f"build {build} was not made the current one: {error}") from None
            await asyncio.sleep(0.1)
        else:
            return


async def drainage(client: Client) -> dict[str, str]:
    """By build: `draining` while checkouts are pinned to it, `drained` when none is; empty for one that is in use."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    answer = await client.workflow_service.describe_worker_deployment(request)
    names = {
        VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING: "draining",
        VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED: "drained",
    }
    summaries = answer.worker_deployment_info.version_summaries
    return {s.deployment_version.build_id: names.get(s.drainage_status, "") for s in summaries}
