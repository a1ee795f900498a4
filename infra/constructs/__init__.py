"""One construct per concern. What a construct may do to the things of another is granted by the stack."""
