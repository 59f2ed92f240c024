"""The console's pages by a test client, on both engines."""
