"""config.yaml: its keys, their checks, and the errors that name what is wrong."""
