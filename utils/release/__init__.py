"""What a release consists of, besides the code."""
