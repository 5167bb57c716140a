"""Many pictures: decoded once, on all cores, into a file that all processes map, or into memory."""
