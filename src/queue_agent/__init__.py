"""The sidecar: takes tasks from the queue of one runtime, runs them there, stores the images, informs the caller."""
