"""The processes that do work: their start and end, their time limits, their plugins. What they do is in `work/`."""
