"""Learning from a log alone: no policy here acts before it has been learned."""
