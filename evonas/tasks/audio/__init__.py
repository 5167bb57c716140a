"""Tasks of sounds: recordings in class folders or in arrays, as log-mel spectrograms that `prepare` makes of them."""
