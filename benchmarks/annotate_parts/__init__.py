"""Parts of the annotation room's load test: the place, and the people at work in it."""
