"""Sending: packing, quotas, delays, and decisions after a refusal. Pure: values and functions only."""
