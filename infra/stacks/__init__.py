"""The stack: which constructs there are, and who may do what to whom."""
