"""PayPal (Orders v2, Payments v2) as its REST API's callers see it."""
