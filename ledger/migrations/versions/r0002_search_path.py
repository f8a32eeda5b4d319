"""The balance check looks at the books' own tables, whatever tables a session has made for itself.

A session's temporary tables come first in its search path. One named `postings` made the check count lines of the
session's choice, and a transaction that does not balance could be committed by anyone who may insert.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Fix the search path of the one guard that reads a table."""
    op.execute(
        """
        DO $$
        BEGIN
            EXECUTE format('ALTER FUNCTION check_balance() SET search_path = %I, pg_temp', current_schema());
        END
        $$
        """
    )
