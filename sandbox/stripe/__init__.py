"""Stripe as its official SDK sees it."""
