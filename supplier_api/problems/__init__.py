"""Service problems: the model, the pure lifecycle and KCI functions, the use cases, the tables.

Knows no web framework. Each use case is one transaction.
"""
