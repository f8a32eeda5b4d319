"""Adyen Checkout v72 on the wire: payment links, modifications, and the webhooks that tell the truth about them."""
