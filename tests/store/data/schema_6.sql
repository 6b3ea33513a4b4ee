BEGIN TRANSACTION;
CREATE TABLE batch_parts (
    batch          TEXT NOT NULL REFERENCES batches (key) ON DELETE CASCADE,
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    PRIMARY KEY (batch, job, first)
) STRICT, WITHOUT ROWID;
INSERT INTO "batch_parts" VALUES('00000002','00000001',0,1);
INSERT INTO "batch_parts" VALUES('00000002','00000001',3,1);
INSERT INTO "batch_parts" VALUES('00000005','00000004',0,1);
INSERT INTO "batch_parts" VALUES('00000005','00000004',3,1);
INSERT INTO "batch_parts" VALUES('00000007','00000006',0,1);
INSERT INTO "batch_parts" VALUES('00000007','00000006',3,1);
INSERT INTO "batch_parts" VALUES('00000010','00000009',0,1);
INSERT INTO "batch_parts" VALUES('00000010','00000009',3,1);
INSERT INTO "batch_parts" VALUES('00000013','00000012',0,1);
INSERT INTO "batch_parts" VALUES('00000013','00000012',3,1);
INSERT INTO "batch_parts" VALUES('00000015','00000014',0,1);
INSERT INTO "batch_parts" VALUES('00000015','00000014',3,1);
INSERT INTO "batch_parts" VALUES('00000017','00000016',0,1);
INSERT INTO "batch_parts" VALUES('00000017','00000016',3,1);
INSERT INTO "batch_parts" VALUES('00000019','00000018',0,1);
INSERT INTO "batch_parts" VALUES('00000019','00000018',3,1);
INSERT INTO "batch_parts" VALUES('00000021','00000020',0,1);
INSERT INTO "batch_parts" VALUES('00000021','00000020',3,1);
INSERT INTO "batch_parts" VALUES('00000023','00000022',0,1);
INSERT INTO "batch_parts" VALUES('00000023','00000022',3,1);
INSERT INTO "batch_parts" VALUES('00000025','00000024',0,1);
INSERT INTO "batch_parts" VALUES('00000025','00000024',3,1);
INSERT INTO "batch_parts" VALUES('00000027','00000026',0,1);
INSERT INTO "batch_parts" VALUES('00000027','00000026',3,1);
INSERT INTO "batch_parts" VALUES('00000029','00000028',0,1);
INSERT INTO "batch_parts" VALUES('00000029','00000028',3,1);
INSERT INTO "batch_parts" VALUES('00000032','00000031',0,1);
INSERT INTO "batch_parts" VALUES('00000032','00000031',3,1);
CREATE TABLE batches (
    key            TEXT PRIMARY KEY,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    endpoint       TEXT NOT NULL,
    state          TEXT NOT NULL,
    requests       INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    created_at     REAL NOT NULL,
    uploads        INTEGER NOT NULL DEFAULT 0,
    upload         TEXT,           -- what the provider calls the input file; committed before the create call
    intent         TEXT,           -- JSON: when the create call was allowed to go out; committed before it
    looks          INTEGER NOT NULL DEFAULT 0,
    remote         TEXT,           -- what the provider calls the batch
    others         TEXT NOT NULL DEFAULT '[]',  -- doubles that were found; their answers are used all the same
    phase          TEXT,
    completed      INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    total          INTEGER NOT NULL DEFAULT 0,
    details        TEXT NOT NULL DEFAULT '{}',
    problems       TEXT NOT NULL DEFAULT '[]',
    wanted         INTEGER NOT NULL DEFAULT 1,
    reason         TEXT,
    submitted_at   REAL,
    ended_at       REAL
, usage TEXT, heard TEXT, progress TEXT, stopping TEXT) STRICT;
INSERT INTO "batches" VALUES('00000002','fake','small','/v1/chat/completions','done',5,780,56,1790000001.5,1,'file-1','{"at":1790000001.5,"steady":1001.5,"boot":"one boot"}',0,'batch-1','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000001.5,"steady":1001.5,"boot":"one boot"}}','[]',1,NULL,1790000001.5,1790000001.5,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000005','fake','small','/v1/chat/completions','done',5,785,56,1790000004.5,1,'file-2','{"at":1790000004.5,"steady":1004.5,"boot":"one boot"}',0,'batch-2','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000004.5,"steady":1004.5,"boot":"one boot"}}','[]',1,NULL,1790000004.5,1790000004.5,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000007','fake','small','/v1/chat/completions','done',5,805,56,1790000006.0,1,'file-3','{"at":1790000006.0,"steady":1006.0,"boot":"one boot"}',0,'batch-3','[]','cancelled',5,0,5,'{"batchd_ended":{"at":1790000006.0,"steady":1006.0,"boot":"one boot"}}','[]',0,NULL,1790000006.0,1790000006.0,NULL,NULL,NULL,'{"at":1790000006.0,"steady":1006.0,"boot":"one boot"}');
INSERT INTO "batches" VALUES('00000010','fake','small','/v1/chat/completions','returned',5,790,56,1790000009.0,1,'file-4','{"at":1790000009.0,"steady":1009.0,"boot":"one boot"}',0,'batch-4','[]','failed',0,0,0,'{"batchd_ended":{"at":1790000009.0,"steady":1009.0,"boot":"one boot"}}','[{"code":"model_not_found","message":"The model small does not exist.","line":null}]',1,'The model small does not exist.',1790000009.0,1790000009.0,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000013','fake','small','/v1/chat/completions','held',5,775,56,1790000012.0,1,'file-5','{"at":1790000012.0,"steady":1012.0,"boot":"one boot"}',0,NULL,'[]',NULL,0,0,0,'{}','[]',1,'This provider cannot look a batch up. Look at the provider whether a batch made from the file file-5 exists. If it does: `batchd resolve 00000013 --found ID`. If not: `batchd resolve 00000013 --absent`.',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000015','fake','small','/v1/chat/completions','uploaded',5,800,56,1790000043.5,1,'file-6',NULL,0,NULL,'[]',NULL,0,0,0,'{}','[]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000017','fake','small','/v1/chat/completions','submitting',5,810,56,1790000045.0,1,'file-7','{"at":1790000045.0,"steady":1045.0,"boot":"one boot"}',0,NULL,'[]',NULL,0,0,0,'{}','[]',1,'the connection was cut',NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000019','fake','small','/v1/chat/completions','submitted',5,805,56,1790000046.5,1,'file-8','{"at":1790000046.5,"steady":1046.5,"boot":"one boot"}',0,'batch-7','[]',NULL,0,0,0,'{}','[]',1,NULL,1790000046.5,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000021','fake','small','/v1/chat/completions','ended',5,785,56,1790000048.0,1,'file-9','{"at":1790000048.0,"steady":1048.0,"boot":"one boot"}',0,'batch-8','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000048.0,"steady":1048.0,"boot":"one boot"}}','[]',1,NULL,1790000048.0,1790000048.0,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000023','fake','small','/v1/chat/completions','fetched',5,795,56,1790000049.5,1,'file-10','{"at":1790000049.5,"steady":1049.5,"boot":"one boot"}',0,'batch-9','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000049.5,"steady":1049.5,"boot":"one boot"}}','[]',1,NULL,1790000049.5,1790000049.5,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000025','fake','small','/v1/chat/completions','done',5,800,56,1790000051.0,1,'file-11','{"at":1790000051.0,"steady":1051.0,"boot":"one boot"}',0,'batch-10','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000051.0,"steady":1051.0,"boot":"one boot"}}','[]',1,NULL,1790000051.0,1790000051.0,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000027','fake','small','/v1/chat/completions','done',5,810,56,1790000052.5,1,'file-12','{"at":1790000052.5,"steady":1052.5,"boot":"one boot"}',0,'batch-11','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000052.5,"steady":1052.5,"boot":"one boot"}}','[]',1,NULL,1790000052.5,1790000052.5,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000029','fake','small','/v1/chat/completions','done',5,805,56,1790000054.0,1,'file-13','{"at":1790000054.0,"steady":1054.0,"boot":"one boot"}',0,'batch-12','[]','completed',5,0,5,'{"batchd_ended":{"at":1790000054.0,"steady":1054.0,"boot":"one boot"}}','[]',1,NULL,1790000054.0,1790000054.0,NULL,NULL,NULL,NULL);
INSERT INTO "batches" VALUES('00000032','fake','small','/v1/chat/completions','packed',5,790,56,1790000057.0,0,NULL,NULL,0,NULL,'[]',NULL,0,0,0,'{}','[]',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE calibration (
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    estimated      INTEGER NOT NULL,
    actual         INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
INSERT INTO "calibration" VALUES('fake','small',115,100);
CREATE TABLE conditions (
    subject        TEXT PRIMARY KEY,
    text           TEXT NOT NULL,
    since          REAL NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "conditions" VALUES('provider fake','It is down.',1790000063.0);
CREATE TABLE deliveries (
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sink           TEXT NOT NULL,
    files          TEXT NOT NULL,  -- JSON: names in the outbox
    delivered_at   REAL NOT NULL,
    PRIMARY KEY (job, sink)
) STRICT, WITHOUT ROWID;
INSERT INTO "deliveries" VALUES('00000001','csv','["reviews/done.results.csv","reviews/done.failed.csv"]',1790000001.5);
INSERT INTO "deliveries" VALUES('00000003','csv','["reviews/again.results.csv","reviews/again.failed.csv"]',1790000003.0);
INSERT INTO "deliveries" VALUES('00000004','csv','["reviews/swept.results.csv","reviews/swept.failed.csv"]',1790000004.5);
INSERT INTO "deliveries" VALUES('00000006','csv','["reviews/cancelled.results.csv","reviews/cancelled.failed.csv"]',1790000006.0);
INSERT INTO "deliveries" VALUES('00000028','csv','["reviews/published.results.csv","reviews/published.failed.csv"]',1790000054.0);
CREATE TABLE events (
    id             INTEGER PRIMARY KEY,
    at             REAL NOT NULL,
    kind           TEXT NOT NULL,
    job            TEXT,
    batch          TEXT,
    data           TEXT NOT NULL
) STRICT;
INSERT INTO "events" VALUES(1,1790000001.5,'JobClaimed','00000001',NULL,'{"source":"reviews/done.csv","route":"reviews","size":70}');
INSERT INTO "events" VALUES(2,1790000001.5,'JobAccepted','00000001',NULL,'{"source":"reviews/done.csv","rows":5,"parts":2,"sha256":"caf7173fb7b670d875250a90fcca6f8a8c2d49c85e141566a6de6774f1924bcd","twin":null}');
INSERT INTO "events" VALUES(3,1790000001.5,'JobPlanned','00000001',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(4,1790000001.5,'BatchPacked',NULL,'00000002','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(5,1790000001.5,'BatchUploaded',NULL,'00000002','{"upload":"file-1","size":780}');
INSERT INTO "events" VALUES(6,1790000001.5,'BatchSubmitted',NULL,'00000002','{"remote":"batch-1"}');
INSERT INTO "events" VALUES(7,1790000001.5,'BatchEnded',NULL,'00000002','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(8,1790000001.5,'BatchDownloaded',NULL,'00000002','{"answers":5,"strays":0}');
INSERT INTO "events" VALUES(9,1790000001.5,'JobDelivered','00000001',NULL,'{"sink":"csv","files":["reviews/done.results.csv","reviews/done.failed.csv"]}');
INSERT INTO "events" VALUES(10,1790000001.5,'JobFinished','00000001',NULL,'{"source":"reviews/done.csv","outcome":"done","ok":4,"failed":1,"skipped":0,"report":"reviews/done.report.json","failures":{"refused":1}}');
INSERT INTO "events" VALUES(11,1790000003.0,'JobClaimed','00000003',NULL,'{"source":"reviews/again.csv","route":"reviews","size":70}');
INSERT INTO "events" VALUES(12,1790000003.0,'JobAccepted','00000003',NULL,'{"source":"reviews/again.csv","rows":5,"parts":2,"sha256":"caf7173fb7b670d875250a90fcca6f8a8c2d49c85e141566a6de6774f1924bcd","twin":"00000001"}');
INSERT INTO "events" VALUES(13,1790000003.0,'JobRedelivered','00000003',NULL,'{"twin":"00000001","rows":5}');
INSERT INTO "events" VALUES(14,1790000003.0,'JobDelivered','00000003',NULL,'{"sink":"csv","files":["reviews/again.results.csv","reviews/again.failed.csv"]}');
INSERT INTO "events" VALUES(15,1790000003.0,'JobFinished','00000003',NULL,'{"source":"reviews/again.csv","outcome":"done","ok":4,"failed":1,"skipped":0,"report":"reviews/again.report.json","failures":{"refused":1}}');
INSERT INTO "events" VALUES(16,1790000004.5,'JobClaimed','00000004',NULL,'{"source":"reviews/swept.csv","route":"reviews","size":75}');
INSERT INTO "events" VALUES(17,1790000004.5,'JobAccepted','00000004',NULL,'{"source":"reviews/swept.csv","rows":5,"parts":2,"sha256":"202c4c1b8e71e4a00d96068bf8fbac4f07ccb95c55c149ca105e43d5ea7ef77b","twin":null}');
INSERT INTO "events" VALUES(18,1790000004.5,'JobPlanned','00000004',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(19,1790000004.5,'BatchPacked',NULL,'00000005','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(20,1790000004.5,'BatchUploaded',NULL,'00000005','{"upload":"file-2","size":785}');
INSERT INTO "events" VALUES(21,1790000004.5,'BatchSubmitted',NULL,'00000005','{"remote":"batch-2"}');
INSERT INTO "events" VALUES(22,1790000004.5,'BatchEnded',NULL,'00000005','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(23,1790000004.5,'BatchDownloaded',NULL,'00000005','{"answers":5,"strays":0}');
INSERT INTO "events" VALUES(24,1790000004.5,'JobDelivered','00000004',NULL,'{"sink":"csv","files":["reviews/swept.results.csv","reviews/swept.failed.csv"]}');
INSERT INTO "events" VALUES(25,1790000004.5,'JobFinished','00000004',NULL,'{"source":"reviews/swept.csv","outcome":"done","ok":4,"failed":1,"skipped":0,"report":"reviews/swept.report.json","failures":{"refused":1}}');
INSERT INTO "events" VALUES(26,1790000006.0,'JobClaimed','00000006',NULL,'{"source":"reviews/cancelled.csv","route":"reviews","size":95}');
INSERT INTO "events" VALUES(27,1790000006.0,'JobAccepted','00000006',NULL,'{"source":"reviews/cancelled.csv","rows":5,"parts":2,"sha256":"741f6d8f9792d424331fc1a8e804054b198eb0749d6d66b5fab2f34c489445d3","twin":null}');
INSERT INTO "events" VALUES(28,1790000006.0,'JobPlanned','00000006',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(29,1790000006.0,'BatchPacked',NULL,'00000007','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(30,1790000006.0,'BatchUploaded',NULL,'00000007','{"upload":"file-3","size":805}');
INSERT INTO "events" VALUES(31,1790000006.0,'BatchSubmitted',NULL,'00000007','{"remote":"batch-3"}');
INSERT INTO "events" VALUES(32,1790000006.0,'JobCancelled','00000006',NULL,'{}');
INSERT INTO "events" VALUES(33,1790000006.0,'BatchEnded',NULL,'00000007','{"phase":"cancelled","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(34,1790000006.0,'BatchDownloaded',NULL,'00000007','{"answers":5,"strays":0}');
INSERT INTO "events" VALUES(35,1790000006.0,'JobDelivered','00000006',NULL,'{"sink":"csv","files":["reviews/cancelled.results.csv","reviews/cancelled.failed.csv"]}');
INSERT INTO "events" VALUES(36,1790000006.0,'JobFinished','00000006',NULL,'{"source":"reviews/cancelled.csv","outcome":"cancelled","ok":4,"failed":1,"skipped":0,"report":"reviews/cancelled.report.json","failures":{"refused":1}}');
INSERT INTO "events" VALUES(37,1790000007.5,'JobClaimed','00000008',NULL,'{"source":"reviews/rejected.csv","route":"reviews","size":25}');
INSERT INTO "events" VALUES(38,1790000007.5,'JobRejected','00000008',NULL,'{"source":"reviews/rejected.csv","code":"columns","reason":"The question asked about each row uses the column “review”, which this file does not have. Its columns are: “id”, “text”. Rename the column in the file, or the one in the prompt of the route."}');
INSERT INTO "events" VALUES(39,1790000009.0,'JobClaimed','00000009',NULL,'{"source":"reviews/failed.csv","route":"reviews","size":80}');
INSERT INTO "events" VALUES(40,1790000009.0,'JobAccepted','00000009',NULL,'{"source":"reviews/failed.csv","rows":5,"parts":2,"sha256":"849088da55a1d781069481d1a7e3841ad261266705ee8496fcca73cfc57cfba3","twin":null}');
INSERT INTO "events" VALUES(41,1790000009.0,'JobPlanned','00000009',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(42,1790000009.0,'BatchPacked',NULL,'00000010','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(43,1790000009.0,'BatchUploaded',NULL,'00000010','{"upload":"file-4","size":790}');
INSERT INTO "events" VALUES(44,1790000009.0,'BatchSubmitted',NULL,'00000010','{"remote":"batch-4"}');
INSERT INTO "events" VALUES(45,1790000009.0,'BatchEnded',NULL,'00000010','{"phase":"failed","completed":0,"failed":0,"total":5,"problems":["The model small does not exist."]}');
INSERT INTO "events" VALUES(46,1790000009.0,'BatchReturned',NULL,'00000010','{"reason":"The model small does not exist."}');
INSERT INTO "events" VALUES(47,1790000009.0,'JobFailed','00000009',NULL,'{"reason":"the provider fake refuses every request of it: The model small does not exist. Mend the route or the account, then `batchd retry 00000009`; or `batchd cancel 00000009`."}');
INSERT INTO "events" VALUES(48,1790000010.5,'JobClaimed','00000011',NULL,'{"source":"reviews/held.csv","route":"reviews","size":70}');
INSERT INTO "events" VALUES(49,1790000010.5,'JobAccepted','00000011',NULL,'{"source":"reviews/held.csv","rows":5,"parts":2,"sha256":"827d30e58ba1fbc36b6257e9f09cd554d764a394e570758a13e221e46cd24213","twin":null}');
INSERT INTO "events" VALUES(50,1790000010.5,'JobPlanned','00000011',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(51,1790000010.5,'JobHeld','00000011',NULL,'{"source":"reviews/held.csv","reason":"5 of its requests set no limit to their answers, so nobody can say what they cost at most. Set max_tokens in the route''s [params] and drop the file again, or approve it whatever it costs","waits":false}');
INSERT INTO "events" VALUES(52,1790000012.0,'JobClaimed','00000012',NULL,'{"source":"reviews/ask.csv","route":"reviews","size":65}');
INSERT INTO "events" VALUES(53,1790000012.0,'JobAccepted','00000012',NULL,'{"source":"reviews/ask.csv","rows":5,"parts":2,"sha256":"e2e338bfe6b33e8e16a62938a6555b8ac7f840d294d11bb97775a0c60227241c","twin":null}');
INSERT INTO "events" VALUES(54,1790000012.0,'JobPlanned','00000012',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(55,1790000012.0,'BatchPacked',NULL,'00000013','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(56,1790000012.0,'BatchUploaded',NULL,'00000013','{"upload":"file-5","size":775}');
INSERT INTO "events" VALUES(57,1790000012.0,'BatchOutcomeUnknown',NULL,'00000013','{"reason":"the connection was cut","wait":30.0}');
INSERT INTO "events" VALUES(58,1790000042.0,'BatchHeld',NULL,'00000013','{"reason":"This provider cannot look a batch up. Look at the provider whether a batch made from the file file-5 exists. If it does: `batchd resolve 00000013 --found ID`. If not: `batchd resolve 00000013 --absent`."}');
INSERT INTO "events" VALUES(59,1790000043.5,'JobClaimed','00000014',NULL,'{"source":"reviews/uploaded.csv","route":"reviews","size":90}');
INSERT INTO "events" VALUES(60,1790000043.5,'JobAccepted','00000014',NULL,'{"source":"reviews/uploaded.csv","rows":5,"parts":2,"sha256":"68e2975526baa1882e013284228f0208f16a72c93a36aca82e1dd15bea8951ba","twin":null}');
INSERT INTO "events" VALUES(61,1790000043.5,'JobPlanned','00000014',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(62,1790000043.5,'BatchPacked',NULL,'00000015','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(63,1790000043.5,'BatchUploaded',NULL,'00000015','{"upload":"file-6","size":800}');
INSERT INTO "events" VALUES(64,1790000045.0,'JobClaimed','00000016',NULL,'{"source":"reviews/submitting.csv","route":"reviews","size":100}');
INSERT INTO "events" VALUES(65,1790000045.0,'JobAccepted','00000016',NULL,'{"source":"reviews/submitting.csv","rows":5,"parts":2,"sha256":"1e35c3a79bb9c65073c873c6952e7403dcba446a00ad551d6c3c6d6ee68e886c","twin":null}');
INSERT INTO "events" VALUES(66,1790000045.0,'JobPlanned','00000016',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(67,1790000045.0,'BatchPacked',NULL,'00000017','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(68,1790000045.0,'BatchUploaded',NULL,'00000017','{"upload":"file-7","size":810}');
INSERT INTO "events" VALUES(69,1790000045.0,'BatchOutcomeUnknown',NULL,'00000017','{"reason":"the connection was cut","wait":30.0}');
INSERT INTO "events" VALUES(70,1790000046.5,'JobClaimed','00000018',NULL,'{"source":"reviews/submitted.csv","route":"reviews","size":95}');
INSERT INTO "events" VALUES(71,1790000046.5,'JobAccepted','00000018',NULL,'{"source":"reviews/submitted.csv","rows":5,"parts":2,"sha256":"e5863fae73ef5efc8541d0649891ca18b94e83f63c790d4dde4fc6bf131c121c","twin":null}');
INSERT INTO "events" VALUES(72,1790000046.5,'JobPlanned','00000018',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(73,1790000046.5,'BatchPacked',NULL,'00000019','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(74,1790000046.5,'BatchUploaded',NULL,'00000019','{"upload":"file-8","size":805}');
INSERT INTO "events" VALUES(75,1790000046.5,'BatchSubmitted',NULL,'00000019','{"remote":"batch-7"}');
INSERT INTO "events" VALUES(76,1790000048.0,'JobClaimed','00000020',NULL,'{"source":"reviews/ended.csv","route":"reviews","size":75}');
INSERT INTO "events" VALUES(77,1790000048.0,'JobAccepted','00000020',NULL,'{"source":"reviews/ended.csv","rows":5,"parts":2,"sha256":"07248e28298b1f3ed98edd2053a2552c3396d4e45ea8be29a181b3bee211c752","twin":null}');
INSERT INTO "events" VALUES(78,1790000048.0,'JobPlanned','00000020',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(79,1790000048.0,'BatchPacked',NULL,'00000021','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(80,1790000048.0,'BatchUploaded',NULL,'00000021','{"upload":"file-9","size":785}');
INSERT INTO "events" VALUES(81,1790000048.0,'BatchSubmitted',NULL,'00000021','{"remote":"batch-8"}');
INSERT INTO "events" VALUES(82,1790000048.0,'BatchEnded',NULL,'00000021','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(83,1790000049.5,'JobClaimed','00000022',NULL,'{"source":"reviews/fetched.csv","route":"reviews","size":85}');
INSERT INTO "events" VALUES(84,1790000049.5,'JobAccepted','00000022',NULL,'{"source":"reviews/fetched.csv","rows":5,"parts":2,"sha256":"f9d1884c73272dcf7daa35388e16ac78e101a078cbf428ea3f49c003b561daac","twin":null}');
INSERT INTO "events" VALUES(85,1790000049.5,'JobPlanned','00000022',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(86,1790000049.5,'BatchPacked',NULL,'00000023','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(87,1790000049.5,'BatchUploaded',NULL,'00000023','{"upload":"file-10","size":795}');
INSERT INTO "events" VALUES(88,1790000049.5,'BatchSubmitted',NULL,'00000023','{"remote":"batch-9"}');
INSERT INTO "events" VALUES(89,1790000049.5,'BatchEnded',NULL,'00000023','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(90,1790000051.0,'JobClaimed','00000024',NULL,'{"source":"reviews/answered.csv","route":"reviews","size":90}');
INSERT INTO "events" VALUES(91,1790000051.0,'JobAccepted','00000024',NULL,'{"source":"reviews/answered.csv","rows":5,"parts":2,"sha256":"35461eb52fd6ee12ae8c65a9c31a31be5539f47ddf443f2596f81ecd0ba8f7b3","twin":null}');
INSERT INTO "events" VALUES(92,1790000051.0,'JobPlanned','00000024',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(93,1790000051.0,'BatchPacked',NULL,'00000025','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(94,1790000051.0,'BatchUploaded',NULL,'00000025','{"upload":"file-11","size":800}');
INSERT INTO "events" VALUES(95,1790000051.0,'BatchSubmitted',NULL,'00000025','{"remote":"batch-10"}');
INSERT INTO "events" VALUES(96,1790000051.0,'BatchEnded',NULL,'00000025','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(97,1790000051.0,'BatchDownloaded',NULL,'00000025','{"answers":5,"strays":0}');
INSERT INTO "events" VALUES(98,1790000052.5,'JobClaimed','00000026',NULL,'{"source":"reviews/delivering.csv","route":"reviews","size":100}');
INSERT INTO "events" VALUES(99,1790000052.5,'JobAccepted','00000026',NULL,'{"source":"reviews/delivering.csv","rows":5,"parts":2,"sha256":"341307e7bd138edc2eaebec61e5ba9009eac64fb13e0602d2a6aa2233d28afd1","twin":null}');
INSERT INTO "events" VALUES(100,1790000052.5,'JobPlanned','00000026',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(101,1790000052.5,'BatchPacked',NULL,'00000027','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(102,1790000052.5,'BatchUploaded',NULL,'00000027','{"upload":"file-12","size":810}');
INSERT INTO "events" VALUES(103,1790000052.5,'BatchSubmitted',NULL,'00000027','{"remote":"batch-11"}');
INSERT INTO "events" VALUES(104,1790000052.5,'BatchEnded',NULL,'00000027','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(105,1790000052.5,'BatchDownloaded',NULL,'00000027','{"answers":5,"strays":0}');
INSERT INTO "events" VALUES(106,1790000054.0,'JobClaimed','00000028',NULL,'{"source":"reviews/published.csv","route":"reviews","size":95}');
INSERT INTO "events" VALUES(107,1790000054.0,'JobAccepted','00000028',NULL,'{"source":"reviews/published.csv","rows":5,"parts":2,"sha256":"df423238579290e039445ee0af444942038e4662bc7c3c968b4367b5363aecdc","twin":null}');
INSERT INTO "events" VALUES(108,1790000054.0,'JobPlanned','00000028',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(109,1790000054.0,'BatchPacked',NULL,'00000029','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(110,1790000054.0,'BatchUploaded',NULL,'00000029','{"upload":"file-13","size":805}');
INSERT INTO "events" VALUES(111,1790000054.0,'BatchSubmitted',NULL,'00000029','{"remote":"batch-12"}');
INSERT INTO "events" VALUES(112,1790000054.0,'BatchEnded',NULL,'00000029','{"phase":"completed","completed":5,"failed":0,"total":5,"problems":[]}');
INSERT INTO "events" VALUES(113,1790000054.0,'BatchDownloaded',NULL,'00000029','{"answers":5,"strays":0}');
INSERT INTO "events" VALUES(114,1790000054.0,'JobDelivered','00000028',NULL,'{"sink":"csv","files":["reviews/published.results.csv","reviews/published.failed.csv"]}');
INSERT INTO "events" VALUES(115,1790000055.5,'JobClaimed','00000030',NULL,'{"source":"reviews/rejecting.csv","route":"reviews","size":32}');
INSERT INTO "events" VALUES(116,1790000055.5,'JobRejected','00000030',NULL,'{"source":"reviews/rejecting.csv","code":"columns","reason":"The question asked about each row uses the column “review”, which this file does not have. Its columns are: “id”, “text”. Rename the column in the file, or the one in the prompt of the route."}');
INSERT INTO "events" VALUES(117,1790000057.0,'JobClaimed','00000031',NULL,'{"source":"reviews/packed.csv","route":"reviews","size":80}');
INSERT INTO "events" VALUES(118,1790000057.0,'JobAccepted','00000031',NULL,'{"source":"reviews/packed.csv","rows":5,"parts":2,"sha256":"691e9238b5ae452920ad8a7937747257674a095d6eb175707624c9dc58fba8d0","twin":null}');
INSERT INTO "events" VALUES(119,1790000057.0,'JobPlanned','00000031',NULL,'{"requests":5,"failed":0,"estimated_cost":null,"currency":"EUR","unlimited":5,"reused":0}');
INSERT INTO "events" VALUES(120,1790000057.0,'BatchPacked',NULL,'00000032','{"provider":"fake","model":"small","parts":2,"jobs":1,"requests":5}');
INSERT INTO "events" VALUES(121,1790000058.5,'JobClaimed','00000033',NULL,'{"source":"reviews/planning.csv","route":"reviews","size":90}');
INSERT INTO "events" VALUES(122,1790000058.5,'JobAccepted','00000033',NULL,'{"source":"reviews/planning.csv","rows":5,"parts":2,"sha256":"30e712863003b34b5569271656d2201162ab7bb696707270d090ab86699ea5bb","twin":null}');
INSERT INTO "events" VALUES(123,1790000060.0,'JobClaimed','00000034',NULL,'{"source":"reviews/waits.csv","route":"reviews","size":95}');
INSERT INTO "events" VALUES(124,1790000060.0,'JobAccepted','00000034',NULL,'{"source":"reviews/waits.csv","rows":5,"parts":2,"sha256":"e5863fae73ef5efc8541d0649891ca18b94e83f63c790d4dde4fc6bf131c121c","twin":"00000018"}');
INSERT INTO "events" VALUES(125,1790000061.5,'JobClaimed','00000035',NULL,'{"source":"reviews/claimed.csv","route":"reviews","size":85}');
INSERT INTO "events" VALUES(126,1790000063.0,'ConditionRaised',NULL,NULL,'{"subject":"provider fake","text":"It is down."}');
CREATE TABLE heartbeat (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    at             REAL NOT NULL,
    pid            INTEGER NOT NULL
) STRICT;
INSERT INTO "heartbeat" VALUES(1,1790000061.5,14702);
CREATE TABLE jobs (
    id             TEXT PRIMARY KEY,
    state          TEXT NOT NULL,
    source         TEXT NOT NULL,  -- the path in the inbox, as people see it
    inbox_path     BLOB NOT NULL,  -- the same, byte for byte: a name need not be valid text
    stamp          TEXT NOT NULL,  -- JSON: inode, size, mtime and ctime when it had settled
    size           INTEGER NOT NULL,
    route          TEXT NOT NULL,  -- JSON: the route as it was when the file was taken
    rows           INTEGER,        -- counted once, at intake; everything later must add up to it
    columns        TEXT NOT NULL DEFAULT '[]',
    answer_columns TEXT NOT NULL DEFAULT '[]',
    sha256         TEXT,
    description    TEXT NOT NULL DEFAULT '{}',
    reason_code    TEXT,
    reason         TEXT,
    cancelled      INTEGER NOT NULL DEFAULT 0,
    deaths         INTEGER NOT NULL DEFAULT 0,
    round          INTEGER NOT NULL DEFAULT 1,  -- grows with each `retry` of a finished job
    twin           TEXT,           -- an earlier job with the same bytes and route, whose answers are delivered again
    outbox_stem    TEXT,           -- reserved before anything is published, so that a second try finds its own
    archive_name   TEXT,
    estimated_cost INTEGER,
    claimed_at     REAL NOT NULL,
    accepted_at    REAL,
    planned_at     REAL,
    collected_at   REAL,
    finished_at    REAL
, terms TEXT, approved INTEGER, note TEXT) STRICT;
INSERT INTO "jobs" VALUES('00000001','done','reviews/done.csv',X'726576696577732F646F6E652E637376','[2441358,70,1795894807588721612,1795894807948801460]',70,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','caf7173fb7b670d875250a90fcca6f8a8c2d49c85e141566a6de6774f1924bcd','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,'reviews/done','reviews/done.csv',NULL,1790000001.5,1790000001.5,1790000001.5,1790000001.5,1790000001.5,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000003','done','reviews/again.csv',X'726576696577732F616761696E2E637376','[2441382,70,1795894809726972055,1795894809737629232]',70,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','caf7173fb7b670d875250a90fcca6f8a8c2d49c85e141566a6de6774f1924bcd','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,'00000001','reviews/again','reviews/again.csv',NULL,1790000003.0,1790000003.0,1790000003.0,1790000003.0,1790000003.0,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('00000004','done','reviews/swept.csv',X'726576696577732F73776570742E637376','[2441398,75,1795894809939945235,1795894810292590269]',-1,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','202c4c1b8e71e4a00d96068bf8fbac4f07ccb95c55c149ca105e43d5ea7ef77b','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,'reviews/swept','reviews/swept.csv',NULL,1790000004.5,1790000004.5,1790000004.5,1790000004.5,1790000004.5,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000006','cancelled','reviews/cancelled.csv',X'726576696577732F63616E63656C6C65642E637376','[2441518,95,1795894810569176784,1795894810596783785]',95,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','741f6d8f9792d424331fc1a8e804054b198eb0749d6d66b5fab2f34c489445d3','{"encoding":"utf-8","delimiter":","}',NULL,NULL,1,0,1,NULL,'reviews/cancelled','reviews/cancelled.csv',NULL,1790000006.0,1790000006.0,1790000006.0,1790000006.0,1790000006.0,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000008','rejected','reviews/rejected.csv',X'726576696577732F72656A65637465642E637376','[2441522,25,1795894810863631157,1795894811002701031]',25,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',NULL,'[]','[]',NULL,'{}','columns','The question asked about each row uses the column “review”, which this file does not have. Its columns are: “id”, “text”. Rename the column in the file, or the one in the prompt of the route.',0,0,1,NULL,NULL,'reviews/rejected.csv',NULL,1790000007.5,NULL,NULL,NULL,1790000007.5,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('00000009','failed','reviews/failed.csv',X'726576696577732F6661696C65642E637376','[2441538,80,1795894811055810576,1795894811080277934]',80,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','849088da55a1d781069481d1a7e3841ad261266705ee8496fcca73cfc57cfba3','{"encoding":"utf-8","delimiter":","}','provider_refused','the provider fake refuses every request of it: The model small does not exist. Mend the route or the account, then `batchd retry 00000009`; or `batchd cancel 00000009`.',0,0,1,NULL,NULL,NULL,NULL,1790000009.0,1790000009.0,1790000009.0,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000011','held','reviews/held.csv',X'726576696577732F68656C642E637376','[2441578,70,1795894811166992140,1795894811194135998]',70,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','827d30e58ba1fbc36b6257e9f09cd554d764a394e570758a13e221e46cd24213','{"encoding":"utf-8","delimiter":","}','unlimited_answers','5 of its requests set no limit to their answers, so nobody can say what they cost at most. Set max_tokens in the route''s [params] and drop the file again, or approve it whatever it costs',0,0,1,NULL,NULL,NULL,NULL,1790000010.5,1790000010.5,1790000010.5,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,'reviews/held.csv.held.txt');
INSERT INTO "jobs" VALUES('00000012','running','reviews/ask.csv',X'726576696577732F61736B2E637376','[2441580,65,1795894811371964886,1795894811440277942]',65,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','e2e338bfe6b33e8e16a62938a6555b8ac7f840d294d11bb97775a0c60227241c','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000012.0,1790000012.0,1790000012.0,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000014','running','reviews/uploaded.csv',X'726576696577732F75706C6F616465642E637376','[2441706,90,1795894811745367112,1795894811832277951]',90,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','68e2975526baa1882e013284228f0208f16a72c93a36aca82e1dd15bea8951ba','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000043.5,1790000043.5,1790000043.5,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000016','running','reviews/submitting.csv',X'726576696577732F7375626D697474696E672E637376','[2441775,100,1795894812079246334,1795894812152277959]',100,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','1e35c3a79bb9c65073c873c6952e7403dcba446a00ad551d6c3c6d6ee68e886c','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000045.0,1790000045.0,1790000045.0,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000018','running','reviews/submitted.csv',X'726576696577732F7375626D69747465642E637376','[2441841,95,1795894812439196398,1795894812508277967]',95,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','e5863fae73ef5efc8541d0649891ca18b94e83f63c790d4dde4fc6bf131c121c','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000046.5,1790000046.5,1790000046.5,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000020','running','reviews/ended.csv',X'726576696577732F656E6465642E637376','[2441882,75,1795894812780124585,1795894812868277975]',75,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','07248e28298b1f3ed98edd2053a2552c3396d4e45ea8be29a181b3bee211c752','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000048.0,1790000048.0,1790000048.0,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000022','running','reviews/fetched.csv',X'726576696577732F666574636865642E637376','[2441326,85,1795894813251518975,1795894813540866143]',85,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','f9d1884c73272dcf7daa35388e16ac78e101a078cbf428ea3f49c003b561daac','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000049.5,1790000049.5,1790000049.5,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000024','running','reviews/answered.csv',X'726576696577732F616E7377657265642E637376','[2441349,90,1795894813845361498,1795894813986598412]',90,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','35461eb52fd6ee12ae8c65a9c31a31be5539f47ddf443f2596f81ecd0ba8f7b3','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000051.0,1790000051.0,1790000051.0,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000026','delivering','reviews/delivering.csv',X'726576696577732F64656C69766572696E672E637376','[2441369,100,1795894814563907540,1795894814612278015]',100,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','341307e7bd138edc2eaebec61e5ba9009eac64fb13e0602d2a6aa2233d28afd1','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,'reviews/delivering','reviews/delivering.csv',NULL,1790000052.5,1790000052.5,1790000052.5,1790000052.5,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000028','delivering','reviews/published.csv',X'726576696577732F7075626C69736865642E637376','[2441397,95,1795894814906969318,1795894815004278024]',95,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','df423238579290e039445ee0af444942038e4662bc7c3c968b4367b5363aecdc','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,'reviews/published','reviews/published.csv',NULL,1790000054.0,1790000054.0,1790000054.0,1790000054.0,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000030','rejecting','reviews/rejecting.csv',X'726576696577732F72656A656374696E672E637376','[2441965,32,1795894815983863449,1795894816044278048]',32,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',NULL,'[]','[]',NULL,'{}','columns','The question asked about each row uses the column “review”, which this file does not have. Its columns are: “id”, “text”. Rename the column in the file, or the one in the prompt of the route.',0,0,1,NULL,NULL,'reviews/rejecting.csv',NULL,1790000055.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('00000031','running','reviews/packed.csv',X'726576696577732F7061636B65642E637376','[2441980,80,1795894816078289614,1795894816284278053]',80,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','691e9238b5ae452920ad8a7937747257674a095d6eb175707624c9dc58fba8d0','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000057.0,1790000057.0,1790000057.0,NULL,NULL,'{"batch":{"input":500000000,"cached_input":500000000,"output":1500000000,"steps":[]},"live":{"input":1000000000,"cached_input":1000000000,"output":3000000000,"steps":[]},"currency":"EUR","source":"configuration"}',NULL,NULL);
INSERT INTO "jobs" VALUES('00000033','planning','reviews/planning.csv',X'726576696577732F706C616E6E696E672E637376','[2441983,90,1795894816940070409,1795894817056278071]',90,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','30e712863003b34b5569271656d2201162ab7bb696707270d090ab86699ea5bb','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000058.5,1790000058.5,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('00000034','planning','reviews/waits.csv',X'726576696577732F77616974732E637376','[2441986,95,1795894817364335842,1795894817416614362]',95,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',5,'["id","review"]','["answer"]','e5863fae73ef5efc8541d0649891ca18b94e83f63c790d4dde4fc6bf131c121c','{"encoding":"utf-8","delimiter":","}',NULL,NULL,0,0,1,'00000018',NULL,NULL,NULL,1790000060.0,1790000060.0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('00000035','claimed','reviews/claimed.csv',X'726576696577732F636C61696D65642E637376','[2441987,85,1795894817451786951,1795894817510133199]',85,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',NULL,'[]','[]',NULL,'{}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000061.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('00000036','claiming','reviews/claiming.csv',X'726576696577732F636C61696D696E672E637376','[2441995,90,1795894817543171887,1795894817543171887]',90,'{"name":"reviews","match":["reviews/**"],"provider":"fake","model":"small","prompt":{"kind":"template","settings":{"user":"Review: {{ review }}"}},"endpoint":"/v1/chat/completions","params":{},"sinks":["csv"],"attempts":2,"part_rows":3,"reader":null,"reuse":null,"finish_within":86400.0,"max_failed":1.0}',NULL,'[]','[]',NULL,'{}',NULL,NULL,0,0,1,NULL,NULL,NULL,NULL,1790000063.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE orders (
    id             INTEGER PRIMARY KEY,
    at             REAL NOT NULL,
    kind           TEXT NOT NULL,
    target         TEXT NOT NULL,
    data           TEXT NOT NULL DEFAULT '{}',
    done_at        REAL,
    answer         TEXT
, refused INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "orders" VALUES(1,1790000006.0,'cancel','00000006','{}',1790000006.0,'Job 00000006 is being cancelled; rows that are answered already are delivered.',0);
INSERT INTO "orders" VALUES(2,1790000063.0,'retry','00000009','{}',NULL,NULL,0);
CREATE TABLE parts (
    job            TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    first          INTEGER NOT NULL,
    rows           INTEGER NOT NULL,
    "offset"       INTEGER NOT NULL,
    length         INTEGER NOT NULL,
    state          TEXT NOT NULL,
    attempt        INTEGER NOT NULL DEFAULT 1,
    results        INTEGER NOT NULL DEFAULT 0,
    ok             INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    requests       INTEGER NOT NULL DEFAULT 0,
    size           INTEGER NOT NULL DEFAULT 0,
    input_tokens   INTEGER NOT NULL DEFAULT 0,
    output_tokens  INTEGER NOT NULL DEFAULT 0,
    batch          TEXT REFERENCES batches (key),
    deaths         INTEGER NOT NULL DEFAULT 0,
    suspect        INTEGER NOT NULL DEFAULT 0,  -- was in a batch that was refused without a reason: travels alone
    usage          TEXT NOT NULL DEFAULT '[0,0,0]',  -- JSON: input, cached input and output tokens
    wasted         TEXT NOT NULL DEFAULT '[0,0,0]', most_cost INTEGER NOT NULL DEFAULT 0, counted_tokens INTEGER NOT NULL DEFAULT 0, longest INTEGER NOT NULL DEFAULT 0, unlimited INTEGER NOT NULL DEFAULT 0, reused INTEGER NOT NULL DEFAULT 0, saved TEXT NOT NULL DEFAULT '[0,0,0]',
    PRIMARY KEY (job, first)
) STRICT, WITHOUT ROWID;
INSERT INTO "parts" VALUES('00000001',0,3,0,53,'collected',1,1,2,1,3,467,33,0,NULL,0,0,'[20,0,10]','[0,0,0]',21000000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000001',3,2,53,37,'collected',1,1,2,0,2,313,23,0,NULL,0,0,'[20,0,10]','[0,0,0]',14500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000003',0,3,0,53,'collected',1,1,2,1,0,467,33,0,NULL,0,0,'[0,0,0]','[0,0,0]',21000000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000003',3,2,53,37,'collected',1,1,2,0,0,313,23,0,NULL,0,0,'[0,0,0]','[0,0,0]',14500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000006',0,3,0,68,'collected',1,1,2,1,3,482,33,0,NULL,0,0,'[20,0,10]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000006',3,2,68,47,'collected',1,1,2,0,2,323,23,0,NULL,0,0,'[20,0,10]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000009',0,3,0,59,'planned',1,0,0,0,3,473,33,0,NULL,0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000009',3,2,59,41,'planned',1,0,0,0,2,317,23,0,NULL,0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000011',0,3,0,53,'planned',1,0,0,0,3,467,33,0,NULL,0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000011',3,2,53,37,'planned',1,0,0,0,2,313,23,0,NULL,0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000012',0,3,0,50,'batched',1,0,0,0,3,464,33,0,'00000013',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000012',3,2,50,35,'batched',1,0,0,0,2,311,23,0,'00000013',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000014',0,3,0,65,'batched',1,0,0,0,3,479,33,0,'00000015',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000014',3,2,65,45,'batched',1,0,0,0,2,321,23,0,'00000015',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000016',0,3,0,71,'batched',1,0,0,0,3,485,33,0,'00000017',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000016',3,2,71,49,'batched',1,0,0,0,2,325,23,0,'00000017',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000018',0,3,0,68,'batched',1,0,0,0,3,482,33,0,'00000019',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000018',3,2,68,47,'batched',1,0,0,0,2,323,23,0,'00000019',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000020',0,3,0,56,'batched',1,0,0,0,3,470,33,0,'00000021',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000020',3,2,56,39,'batched',1,0,0,0,2,315,23,0,'00000021',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000022',0,3,0,62,'batched',1,0,0,0,3,476,33,0,'00000023',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000022',3,2,62,43,'batched',1,0,0,0,2,319,23,0,'00000023',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000024',0,3,0,65,'answered',1,0,0,0,3,479,33,0,'00000025',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000024',3,2,65,45,'answered',1,0,0,0,2,321,23,0,'00000025',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000026',0,3,0,71,'collected',1,1,2,1,3,485,33,0,NULL,0,0,'[20,0,10]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000026',3,2,71,49,'collected',1,1,2,0,2,325,23,0,NULL,0,0,'[20,0,10]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000028',0,3,0,68,'collected',1,1,2,1,3,482,33,0,NULL,0,0,'[20,0,10]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000028',3,2,68,47,'collected',1,1,2,0,2,323,23,0,NULL,0,0,'[20,0,10]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000031',0,3,0,59,'batched',1,0,0,0,3,473,33,0,'00000032',0,0,'[0,0,0]','[0,0,0]',17500000000,33,11,3,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000031',3,2,59,41,'batched',1,0,0,0,2,317,23,0,'00000032',0,0,'[0,0,0]','[0,0,0]',12500000000,23,12,2,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000033',0,3,0,65,'unplanned',1,0,0,0,0,0,0,0,NULL,0,0,'[0,0,0]','[0,0,0]',0,0,0,0,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000033',3,2,65,45,'unplanned',1,0,0,0,0,0,0,0,NULL,0,0,'[0,0,0]','[0,0,0]',0,0,0,0,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000034',0,3,0,68,'unplanned',1,0,0,0,0,0,0,0,NULL,0,0,'[0,0,0]','[0,0,0]',0,0,0,0,0,'[0,0,0]');
INSERT INTO "parts" VALUES('00000034',3,2,68,47,'unplanned',1,0,0,0,0,0,0,0,NULL,0,0,'[0,0,0]','[0,0,0]',0,0,0,0,0,'[0,0,0]');
CREATE TABLE spending (
    job            TEXT NOT NULL,
    first          INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    batch          TEXT,
    at             REAL NOT NULL,
    route          TEXT NOT NULL,
    provider       TEXT NOT NULL,
    model          TEXT NOT NULL,
    terms          TEXT NOT NULL,     -- batch or live
    currency       TEXT NOT NULL,
    answers        INTEGER NOT NULL,  -- how many were billed
    input_tokens   INTEGER NOT NULL,
    cached_tokens  INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    wasted_input   INTEGER NOT NULL,  -- of these, what answered no row
    wasted_output  INTEGER NOT NULL,
    cost           INTEGER,           -- NULL: the price was not known
    wasted_cost    INTEGER,
    live_cost      INTEGER,           -- what the same would have cost in live calls
    PRIMARY KEY (job, first, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO "spending" VALUES('00000001',0,1,'00000002',1790000001.5,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000001',3,1,'00000002',1790000001.5,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000004',0,1,'00000005',1790000004.5,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000004',3,1,'00000005',1790000004.5,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000006',0,1,'00000007',1790000006.0,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000006',3,1,'00000007',1790000006.0,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000026',0,1,'00000027',1790000052.5,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000026',3,1,'00000027',1790000052.5,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000028',0,1,'00000029',1790000054.0,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
INSERT INTO "spending" VALUES('00000028',3,1,'00000029',1790000054.0,'reviews','fake','small','batch','EUR',2,20,0,10,0,0,25000000000,0,50000000000);
CREATE INDEX jobs_by_sha256 ON jobs (sha256) WHERE sha256 IS NOT NULL;
CREATE UNIQUE INDEX jobs_by_outbox_stem ON jobs (outbox_stem) WHERE state = 'delivering';
CREATE UNIQUE INDEX jobs_being_claimed ON jobs (inbox_path) WHERE state = 'claiming';
CREATE INDEX parts_by_state ON parts (state);
CREATE INDEX parts_open ON parts (job) WHERE state != 'collected';
CREATE INDEX parts_by_batch ON parts (batch) WHERE batch IS NOT NULL;
CREATE INDEX batches_by_state ON batches (state);
CREATE INDEX batch_parts_by_job ON batch_parts (job);
CREATE INDEX events_by_job ON events (job) WHERE job IS NOT NULL;
CREATE INDEX events_by_batch ON events (batch) WHERE batch IS NOT NULL;
CREATE INDEX orders_open ON orders (id) WHERE done_at IS NULL;
CREATE INDEX spending_by_time ON spending (at);
CREATE INDEX spending_by_batch ON spending (batch) WHERE batch IS NOT NULL;
CREATE INDEX jobs_with_a_note ON jobs (id) WHERE note IS NOT NULL;
CREATE INDEX jobs_in_order ON jobs (state, claimed_at, id);
COMMIT;
PRAGMA user_version = 6;
