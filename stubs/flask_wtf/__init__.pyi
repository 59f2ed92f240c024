# Only what supplier_api uses.
