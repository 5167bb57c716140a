"""Processes that belong together: frames between them, how a child starts, and when it must end.

The package serves both pairs of processes: a worker with its fork server (`runtime/sandbox/`), and a measuring server
with the process that measures (`measuring/remote/`). It needs the standard library alone: a board may have no
more.
"""
