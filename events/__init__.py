"""How other services hear of payments: the envelope, the relay from the books to the broker, and the subscribers."""
