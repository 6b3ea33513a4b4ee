-- Batches whose input file may be at their provider: it is deleted there once they are over.
CREATE TABLE input_files (
    batch  TEXT PRIMARY KEY REFERENCES batches (key) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Until now nobody deleted that of a batch whose create was refused.
INSERT INTO input_files SELECT key FROM batches WHERE lane = 'batch' AND upload IS NOT NULL AND state = 'returned';
