"""Tests mirror the tree; what several of them share is in ``test.support``."""
