"""Which search a run folder holds: what run.json says of it, and whether another one may go on with it."""
