"""HTTP that the supplier's own systems call.

Each module is imported by its own name: commands read events by `schemas`, without a web server.
"""
