"""What a network costs on a device: latency on a quiet device, memory, file size, energy; here or on another machine.

Knows nothing of tasks, training and search. What a board runs (`server.py` and all that it imports) needs no torch.
"""
