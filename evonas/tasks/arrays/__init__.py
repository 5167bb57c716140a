"""Tasks of arrays, in one file or one file each."""
