"""Simulated runtimes: real HTTP servers that answer as the recordings of the real ones do. They draw, and say so."""
