"""Taking messages and preparing their tasks, no earlier than the runtime needs them."""
