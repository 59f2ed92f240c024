"""The console: web pages on which operators see and steer the supplier."""
