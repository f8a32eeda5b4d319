"""Runs real checkouts through the whole system, and proves afterwards that every promise was kept."""
