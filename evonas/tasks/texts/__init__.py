"""Tasks of texts: language models, and classes of texts."""
