"""The record of traffic that testers read: every call in and out, and what was off the contract.

Only the sandbox profile keeps it. It is written by a thread of its own, never in the transaction of
an answer, so that it can neither slow nor fail what it records.
"""
