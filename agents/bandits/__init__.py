"""Bandits: learners that explore while they serve, from the clicks on every position of their slates."""
