"""Super-resolution, human segmentation and text recognition by models of its own: an HTTP server, and the same code
as a Lambda function."""

VERSION = "1.0.0"
"""Of the requests, the answers and the models together."""
