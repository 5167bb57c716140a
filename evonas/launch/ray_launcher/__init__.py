"""AWS and Google Cloud, whose machines Ray's own launcher starts."""
