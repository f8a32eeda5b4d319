"""Stripe, through its official SDK: PaymentIntents, refunds and signed webhooks."""
