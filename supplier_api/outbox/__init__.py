"""Messages on their way out, in lanes; a problem is known here by its id alone."""
