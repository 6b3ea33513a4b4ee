"""The loop: look, decide, act. The one place that knows the order of things; what it carries out is in `steps/`."""
