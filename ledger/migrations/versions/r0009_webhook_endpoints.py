"""Webhooks to shops: endpoints with their secrets, what is to be delivered to them, and every try."""

from pathlib import Path

from ledger.migrations.scripts import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add what is new; every row there is stays as it was."""
    run_script(Path(__file__).with_suffix(".sql"))
