"""What is where, for people: the one read model that commands show, and the feed of events to the log and observers."""
