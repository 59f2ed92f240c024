"""Pure domain: what a service problem is and may become. No I/O, no framework."""
