"""The table of tasks in DynamoDB: what an item holds, and each write with its condition.

Requests are plain dictionaries, so that the front door sends them with boto3 and the agent with aiobotocore.
"""
