"""A crash campaign: load, a next hop with moods, processes killed at random, and the count at the end."""
