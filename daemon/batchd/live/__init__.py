"""Live calls: one request a row, sent by the daemon itself, behind the interface of a batch provider."""
