"""What a user of the planner did wrong."""


class PlannerError(Exception):
    """The text says what is wrong, and what is allowed."""
