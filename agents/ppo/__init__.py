"""PPO over slates: a Plackett-Luce policy class for stable-baselines3."""
