"""This package measures what a network costs on a device, here or on another machine: latency on a quiet device,
memory, file size, energy.

It knows nothing of tasks, training and search. What a board runs (`remote/server.py` and all that it imports) needs no
torch.
"""
