"""The versions of the contract, defined only here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contract:
    """The versions of the gateway's two APIs that a supplier takes part in."""

    supplier_api: str
    supplier_updates: str


CONTRACT = Contract(supplier_api="1.15", supplier_updates="1.8")
