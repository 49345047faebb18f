"""Agents: static fusion baselines, bandits and reinforcement learning. They learn from logs or in a simulator."""
