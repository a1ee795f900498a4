"""Fetching what a task's links name."""
