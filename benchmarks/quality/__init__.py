"""The parts of `search_quality.py`: what is searched, who searches, and how good what was found is."""
