"""Adapters to the supplier's own systems: ticketing, network operations."""
