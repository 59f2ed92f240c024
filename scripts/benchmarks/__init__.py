"""What `make bench` measures, one file for each measurement.

Each has a `measure(options) -> list[Figure]`, listed in scripts/bench.py. Absolute figures belong
to a machine and to a moment of it; what counts are ratios, of things that were measured in turns.
"""
