"""Language models that run here: how likely answers are, and texts about items and users."""
