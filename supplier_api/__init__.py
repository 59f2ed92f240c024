"""The reference implementation of the supplier's side of the broadband wholesale gateway."""
