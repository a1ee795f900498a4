"""Synchronous routes: each request is answered with its result instead of a task's place."""
