"""The sample podcast: a feed, two short episodes, and the true text of each."""
