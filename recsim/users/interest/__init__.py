"""The built-in users: hidden interests over every modality of the items."""

from recsim.users.interest.config import InterestConfig
from recsim.users.interest.model import InterestUsers, interest_users
from recsim.users.interest.people import InterestState

__all__ = ["InterestConfig", "InterestState", "InterestUsers", "interest_users"]
