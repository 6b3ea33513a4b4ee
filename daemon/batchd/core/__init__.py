"""What decides: pure functions from values to values. No await, no open, no clock, no randomness."""
