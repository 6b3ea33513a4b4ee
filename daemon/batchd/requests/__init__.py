"""What a request must be for a batch service to take it: rules, and files of requests checked and repaired."""
