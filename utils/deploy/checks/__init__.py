"""What can be known before anything is made: a function for each check, which yields its findings."""
