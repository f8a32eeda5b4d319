"""Measures the whole path next to bare ones, in one run: `python -m devstack.bench`."""
