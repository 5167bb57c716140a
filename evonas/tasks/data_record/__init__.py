"""What a run folder keeps of a task's data: enough to know them again, and to ship networks without them."""
