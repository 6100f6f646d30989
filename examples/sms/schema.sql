-- The process table of the application, for MySQL and MariaDB; schema.sqlite.sql is the one for SQLite.
-- What taskd needs of a table is a key and a status; what they are called, cron.ini says.
CREATE TABLE IF NOT EXISTS process (
  id         BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  task       VARCHAR(50)  NOT NULL COMMENT 'what is to be done: send_msg',
  param      TEXT         NOT NULL COMMENT 'for whom, as a query string',
  status     TINYINT      NOT NULL DEFAULT 0 COMMENT '0 ready, 1 taken, 2 done, 3 failed',
  start_time INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'not before this Unix time',
  result     TEXT         NULL COMMENT 'the answer, as JSON',
  created_at TIMESTAMP    NOT NULL DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP    NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  KEY by_status (status, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4;
