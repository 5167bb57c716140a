"""What launch files say, as `up` writes them and as their user may have changed them by hand."""
