"""Tools around the platform, and the platform on one machine."""
