"""One module for each group of actions: what the engine does when an action of `domain/lifecycle` is due."""
