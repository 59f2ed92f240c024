"""Scenarios: outcomes that a tester chooses, for the sandbox profile. Pure: no I/O.

The list is in `catalogue`, what each does step by step in `plans`; `choice` reads what a tester
asked for, `timetable` makes it the back office's events, `results` and `markdown` describe it.
"""
