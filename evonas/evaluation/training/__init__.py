"""How a network is trained: one loop, and what a recipe may put into it."""
