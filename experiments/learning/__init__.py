"""What agents earn in the built-in worlds, and whether the project's claims hold: `recsim bench learn`."""
