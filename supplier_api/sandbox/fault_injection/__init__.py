"""Faults: what testers let go wrong on purpose, for the sandbox profile. Pure: no I/O.

The list is in `catalogue`; `answers` spoils our answers to the gateway, `mutations` makes KCIs that
break the contract; `listing` describes them all.
"""
