"""The stack's own Lambda functions, packed without anything else of the project.

They import each other relatively, and otherwise only what the Lambda runtime provides.
"""
