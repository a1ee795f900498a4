"""One task on its way: prepared, run, and handed to its outcome."""
