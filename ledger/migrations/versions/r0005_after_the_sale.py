"""Refunds, disputes and cases on the books; events that the poller found, and events dispatched again."""

from pathlib import Path

from ledger.migrations.scripts import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what is new, with its guards and rights; every row there is stays as it was."""
    run_script(Path(__file__).with_suffix(".sql"))
