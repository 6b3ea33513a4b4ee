"""What is written about jobs, batches, money and orders: a module for each kind of record. It opens no files."""
