"""The console's page for testers."""
