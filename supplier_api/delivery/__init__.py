"""Delivery: what leaves the house, and what is done when its time has come."""
