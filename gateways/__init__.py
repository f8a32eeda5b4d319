"""Gateways: one contract, one folder each."""
