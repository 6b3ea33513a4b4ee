-- Whether an order was carried out, for scripts: the answer itself is for people.
ALTER TABLE orders ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
