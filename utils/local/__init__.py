"""The whole platform on one machine: an embedded AWS, the real front door and agent, simulated runtimes."""
