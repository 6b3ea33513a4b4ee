"""Bodies of answers as services write them: where the text is, why it ended, its thinking, its tokens. Pure."""
