"""The pages, one module each, in the order in which the console lists them."""

from supplier_api.console.access import Role
from supplier_api.console.pages import (
    audit,
    back_office,
    delivery,
    overview,
    people,
    problems,
    rules,
    sign_in,
    work,
)
from supplier_api.console.pages.page import Page

__all__ = ["PAGES", "Page"]

PAGES = (
    Page(overview.blueprint, "overview.show", "Overview"),
    Page(problems.blueprint, "problems.listed", "Problems"),
    Page(work.blueprint, "work.show", "Work for people"),
    Page(delivery.blueprint, "delivery.show", "Delivery"),
    Page(rules.blueprint, "rules.show", "Rules"),
    Page(back_office.blueprint, "back_office.show", "Back office"),
    Page(audit.blueprint, "audit.show", "Audit"),
    Page(people.blueprint, "people.show", "People", Role.ADMIN),
    Page(sign_in.blueprint, "sign_in.show", ""),
)
