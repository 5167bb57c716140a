"""What a network says before it is trained: its costs, and zero-cost scores."""
