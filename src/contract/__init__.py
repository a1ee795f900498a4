"""The message contract: what a task, its place in S3 and its callback look like. No I/O happens here."""
