"""What other services hear of the demo's payments, and whether that is what the books say."""
