"""The read model that commands show, and the feed of events to the log and the observers."""
