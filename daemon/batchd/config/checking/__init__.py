"""Further checks of a configuration that can be read: whether its parts fit, and whether its plugins load."""
