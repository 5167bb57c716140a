"""Tasks of pictures in which every pixel has a class."""
