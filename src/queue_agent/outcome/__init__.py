"""How a task ends: what becomes of its message, where its outputs are stored, how the caller is notified."""
