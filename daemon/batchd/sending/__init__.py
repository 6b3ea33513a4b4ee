"""What goes out, and when: packing, quotas, pauses, and what a refusal means. Pure: values and functions only."""
