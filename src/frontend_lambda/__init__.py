"""The front door: checks a request, finds its runtime's queue, and hands the task on. Answers within milliseconds."""
