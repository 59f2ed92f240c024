"""What do we answer: the rule book, the facts it is judged on, and the decision with its trace."""
