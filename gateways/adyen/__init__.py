"""Adyen, over HTTP: payment links, their modifications, and the signed notifications that alone tell the truth."""
