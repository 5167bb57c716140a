"""From a front to finished networks: chosen, trained to the end, and tested once on what nobody has seen."""
