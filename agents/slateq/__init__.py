"""SlateQ: long-term values of slates from long-term values of items."""

from recsim.agents.slateq.agent import SlateQ

__all__ = ["SlateQ"]
