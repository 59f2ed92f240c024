"""The test bench: nothing but cli and app imports it."""
