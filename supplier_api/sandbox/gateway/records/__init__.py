"""Reads and writes the gateway's tables. Every function runs in its caller's transaction."""
