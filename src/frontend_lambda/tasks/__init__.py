"""The task API: submit, read, wait for, list and cancel tasks, and links to their files.

Each route is a function of a request that returns a proxy response; ``api`` names them all.
"""
