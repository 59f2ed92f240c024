"""The worker: sends queued messages to their destinations, and runs timers and chores."""
