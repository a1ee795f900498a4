"""The identity of a task on its way through SNS and SQS, so that a request whose answer was lost still runs once.

The front door gives each HTTP request one id before it publishes anything. Where it cannot know whether SNS took a
message, it publishes again, marked as a repeat; the agent discards a repeat whose original exists.
"""

REQUEST_ID = "request_id"
"""Message attribute: the id of the HTTP request, the same on all its messages. A UUID."""

REPEAT = "repeat"
"""Message attribute of a message whose original may exist; absent otherwise."""

REPEATED = "true"
"""The only value of REPEAT."""
