"""How the console lists a page."""

from dataclasses import dataclass

from flask import Blueprint

from supplier_api.console.access import Role


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its views, the endpoint that shows it, and its title, "" if it is not listed.

    It is listed for those whose role allows what it `needs`.
    """

    blueprint: Blueprint
    endpoint: str
    title: str
    needs: Role = Role.VIEWER
