"""A log and policies, judged by estimators known by name: what they need, what they weigh, and what they say."""
