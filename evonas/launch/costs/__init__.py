"""What the machines of a cluster cost an hour, until a search ends, and now."""
