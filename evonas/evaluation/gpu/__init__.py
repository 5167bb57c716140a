"""What is of GPUs alone: their errors, memory, signs of life, sharing and energy."""
