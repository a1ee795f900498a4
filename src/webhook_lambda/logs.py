"""The function's logger. URLs are never among its fields, since those of receivers often hold a token."""

import logging

LOGGER = logging.getLogger("webhook_lambda")
