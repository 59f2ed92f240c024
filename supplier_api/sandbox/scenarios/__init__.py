"""Scenarios: outcomes that a tester chooses, for the sandbox profile.

The list is in `catalogue`, what each does step by step in `model`, and what it leads to in
`listing`. `choice` reads what a request chooses, `source` lays it over the rule book's decision.
"""
