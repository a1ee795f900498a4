"""Lambda functions that CloudFormation asks while it changes the stack.

They are packed as this folder alone, so they import each other relatively, and else only what Lambda brings.
"""
