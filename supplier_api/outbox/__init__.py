"""The outbox: messages in lanes until they are delivered; it knows a problem by its id only."""
