"""`python -m supplier_api.cli` is the same as `supplier-api`."""

from supplier_api.cli import main

if __name__ == "__main__":
    main(prog_name="supplier-api")
