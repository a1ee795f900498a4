"""Text of strangers, fit for a terminal."""


def printable(text: str) -> str:
    """Without control characters, which could rewrite what the terminal shows."""
    return "".join(char if char.isprintable() else "�" for char in text)
