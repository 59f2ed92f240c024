"""Faults: what testers let go wrong on purpose, for the sandbox profile.

The list is in `catalogue`; `answers` spoils our answers to the gateway and `wsgi` sends them,
`mutations` makes KCIs that break the contract and `transport` sends them, with the faults of
delivery in `sending`. `active_faults` finds which one strikes a call.
"""
