"""What came back: what a line of a provider's output means, and which row it answers. Pure."""
