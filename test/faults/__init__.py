"""Faults on purpose: what agents, runtimes and AWS do to each other, and what the caller hears of it."""
