"""Live calls: one request a row, sent by the daemon itself, behind the face of a batch provider."""
