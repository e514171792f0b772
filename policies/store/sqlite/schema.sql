-- The ledger, as policies/ledger/core keeps it. Amounts are nano-dollars, times
-- of the ledger milliseconds since 1970.
CREATE TABLE IF NOT EXISTS ledger (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  file    TEXT NOT NULL,              -- random: the run of this store
  run     TEXT NOT NULL DEFAULT '',
  mark    INTEGER NOT NULL DEFAULT 0,
  applied INTEGER NOT NULL DEFAULT 0
);
INSERT OR IGNORE INTO ledger (one, file) VALUES (1, 'file:' || lower(hex(randomblob(8))));

CREATE TABLE IF NOT EXISTS replicas (
  replica TEXT PRIMARY KEY,
  number  INTEGER NOT NULL,
  booked  INTEGER NOT NULL,
  boot    TEXT NOT NULL,
  run     TEXT NOT NULL,
  lease   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS has (
  replica TEXT NOT NULL,
  cell    TEXT NOT NULL,
  nanos   INTEGER NOT NULL,
  PRIMARY KEY (replica, cell)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS has_by_cell ON has (cell);

CREATE TABLE IF NOT EXISTS cells (
  cell    TEXT PRIMARY KEY,
  settled INTEGER NOT NULL,
  has     INTEGER NOT NULL,           -- the sum over the replicas
  ends    INTEGER NOT NULL
) WITHOUT ROWID;

-- Keys: what key.Store keeps, as JSON.
CREATE TABLE IF NOT EXISTS keys (
  hash    TEXT PRIMARY KEY,
  version INTEGER NOT NULL,           -- rises with every put
  body    BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_by_version ON keys (version);

-- Receipts, times in microseconds.
CREATE TABLE IF NOT EXISTS receipts (
  id    TEXT PRIMARY KEY,
  at    INTEGER NOT NULL,
  key   TEXT NOT NULL,
  owner TEXT NOT NULL,
  body  BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS receipts_by_time ON receipts (at, id);

CREATE TABLE IF NOT EXISTS documents (
  name TEXT PRIMARY KEY,
  body BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS audit (
  line INTEGER PRIMARY KEY AUTOINCREMENT,
  body BLOB NOT NULL
);
