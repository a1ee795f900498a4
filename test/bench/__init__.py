"""Benchmarks: each is one command, compares within one run, and prints a table."""
