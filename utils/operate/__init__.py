"""Commands for people who operate a stack."""
