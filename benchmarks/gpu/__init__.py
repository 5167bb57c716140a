"""The sections of `gpu_session.py`: each a file, with a function that runs it and tells rows."""
