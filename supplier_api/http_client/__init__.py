"""What every call out shares: connections, TLS, and how answers are read. Knows no message."""
