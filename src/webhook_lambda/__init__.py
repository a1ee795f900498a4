"""Sends webhooks: from events of tasks to signed requests at their receivers, tried for three days."""
