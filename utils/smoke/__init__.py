"""Sends the guide's requests to a stack and waits for their callbacks."""
