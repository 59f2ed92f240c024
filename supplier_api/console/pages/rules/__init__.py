"""The page Rules: the book as it is read, what it did, a request to try, a draft to judge."""

from supplier_api.console.pages.rules import book, draft, history, trial
from supplier_api.console.pages.rules.blueprint import blueprint

# Each module adds its views to the blueprint.
__all__ = ["blueprint", "book", "draft", "history", "trial"]
