"""How the console lists a page."""

from dataclasses import dataclass

from flask import Blueprint


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its views, the endpoint that shows it, and its title, "" if it is not listed."""

    blueprint: Blueprint
    endpoint: str
    title: str
