"""What touches the outside: one module, one outside thing."""
