"""Models of Stable-Baselines3 and sb3-contrib, trained here or elsewhere, as policies of the project."""
