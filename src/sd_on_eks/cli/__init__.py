"""The command ``sdoneks``: the client's verbs for a shell."""
