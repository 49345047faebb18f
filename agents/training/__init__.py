"""What watches over a training by Stable-Baselines3: evaluation on the way, a guard against NaN, and checkpoints."""
