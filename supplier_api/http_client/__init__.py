"""What all outgoing HTTP calls share: connections, TLS, tokens, and how answers are read."""
