"""The stack's metrics, dashboard and collector."""
