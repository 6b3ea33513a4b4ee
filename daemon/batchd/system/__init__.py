"""The machine around us: clocks, logs, systemd, file systems."""
