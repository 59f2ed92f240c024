"""What operators need of an installation: status, doctor, backup, retention, processes."""
