"""The rule book, the facts that it is evaluated on, and the decision with its trace."""
