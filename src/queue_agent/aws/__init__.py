"""What the agent asks of AWS: its clients, and its queue."""
