"""The sidecar: takes tasks from the queue of one runtime, runs them there, stores the pictures, tells the caller."""
