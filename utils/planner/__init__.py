"""What a scaling setting costs, and how long tasks wait with it: a simulation of queue, autoscalers, pods and nodes."""
