"""PayPal, by plain HTTP: Orders v2, Payments v2, and webhooks proven by certificate."""
