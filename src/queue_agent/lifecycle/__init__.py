"""Start, readiness and end of the process, as Kubernetes sees them."""
