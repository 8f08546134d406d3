"""What is told of the broker's objects, as values; they know nothing of HTTP."""
