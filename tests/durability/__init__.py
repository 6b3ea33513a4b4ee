"""Killed, cut off from power, out of room, out of luck: what must never lose a row or pay for one twice."""
