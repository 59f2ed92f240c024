"""The desk: everything that changes a problem goes through here, one transaction each."""
