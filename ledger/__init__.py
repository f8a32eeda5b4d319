"""The books in Postgres: append-only, double entry, hash-chained; and the stores that keep every call idempotent."""
