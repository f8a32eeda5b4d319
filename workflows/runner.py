"""How workflow code is run: in production as it is, in tests under a sandbox that catches what is not deterministic."""

from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# Loaded twice, a class would not equal itself; and loading SQLAlchemy anew costs 130 ms and 10 MB a run. What is shared
# is not checked for clocks and randomness any more, which is why a test forbids them in the domain.
_SHARED = ("domain", "activities", "gateways", "ledger", "pydantic", "sqlalchemy")

CHECKED: WorkflowRunner = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(*_SHARED)
)
"""Loads workflow code anew for each run and refuses clocks, randomness and I/O in it. Tests and replays use it."""

UNCHECKED: WorkflowRunner = UnsandboxedWorkflowRunner()
"""Runs the code that the tests have checked. Loading it anew for each run cost 18 ms of CPU, and a few hundred kB for
as long as the checkout is open (docs/performance.md)."""
