"""Access to the machine: clocks, logs, systemd, file systems."""
