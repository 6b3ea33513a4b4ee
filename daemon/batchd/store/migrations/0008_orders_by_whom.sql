-- Who gave an order, and how: on the command line, or by renaming a note in the held folder.
ALTER TABLE orders ADD COLUMN who TEXT;   -- a user name of this machine; NULL: not known
ALTER TABLE orders ADD COLUMN door TEXT;  -- NULL: left before this was kept
