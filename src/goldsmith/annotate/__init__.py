"""The annotation room in a browser: pages and calls on top of `gold/`."""
