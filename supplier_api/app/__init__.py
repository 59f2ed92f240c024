"""Wires the parts together: the one place that knows them all.

Each module is imported by its own name: a command that only looks need not load a web server.
"""
