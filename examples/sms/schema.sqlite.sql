-- The same for SQLite.
CREATE TABLE IF NOT EXISTS process (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  task       TEXT    NOT NULL,
  param      TEXT    NOT NULL,
  status     INTEGER NOT NULL DEFAULT 0,
  start_time INTEGER NOT NULL DEFAULT 0,
  result     TEXT,
  created_at TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS process_by_status ON process (status, id);
