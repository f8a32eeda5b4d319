"""How workflow code is loaded: sandboxed, with the pure packages shared instead of loaded anew for each run."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# Loaded twice, a class would not equal itself; and loading SQLAlchemy anew costs 130 ms and 10 MB a run. What is shared
# is not checked for clocks and randomness any more, which is why a test forbids them in the domain.
_SHARED = ("domain", "activities", "gateways", "ledger", "pydantic", "sqlalchemy")

RUNNER = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_SHARED))
"""The runner that workers and replays use."""
