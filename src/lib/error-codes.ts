interface ErrorInfo {
  /** Of the HTTP answer. Codes that never occur over HTTP have one too, which is not used. */
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 413 | 415 | 422 | 429 | 500 | 503
  readonly meaning: string
  readonly remedy: string
}

/** Every code that a user may meet. A code is stable and never used for something else. */
export const ERROR_CODES = {
  E_BAD_CONFIG: info(
    400,
    'the configuration has mistakes',
    'run taskd check: it lists all of them',
  ),
  E_BAD_DATE: info(400, 'a date cannot be read', 'write it as 2026-11-21'),
  E_BAD_JOB: info(400, 'a row of the task table cannot run', 'correct the field that is named'),
  E_BAD_REQUEST: info(400, 'a value is missing or wrong', 'correct what the message names'),
  E_BAD_ROW: info(400, 'the task table would not take this row', 'correct the field that is named'),
  E_BAD_ROWS: info(
    400,
    'a channel takes none of these rows',
    'correct the rows that are named; send fewer at once',
  ),
  E_BAD_SCALE: info(
    400,
    'a program cannot have so many processes',
    'give its processes names of their own',
  ),
  E_BAD_STATE: info(
    400,
    'the task or job is in a state where this makes no sense',
    'taskd why shows its state',
  ),
  E_BAD_TASK: info(400, 'this is no task', 'correct what is named; docs/tasks.md has the fields'),
  E_BAD_TYPE: info(415, 'the body is of a type that is not taken', 'send JSON or a form'),
  E_BAD_USAGE: info(400, 'the command line is wrong', 'taskd help COMMAND shows how it is used'),
  E_BUSY: info(503, 'taskd reads other large requests', 'send it again in a moment'),
  E_CONNECT: info(500, 'the control socket cannot be used', 'look at socket in [taskd]'),
  E_DATABASE_AWAY: info(
    503,
    'the database does not answer',
    'taskd status shows since when and why; try again when it is back',
  ),
  E_DATABASE_OPEN: info(
    500,
    'an SQLite file cannot be opened',
    'its folder must be writable by the user of the daemon',
  ),
  E_DATABASE_URL: info(
    500,
    'the address of a database cannot be read',
    'docs/database.md shows how it is written',
  ),
  E_DATA_DIR: info(500, 'the data folder cannot be used', 'make it writable, or name another'),
  E_FOREGROUND: info(
    409,
    'a daemon that another program started cannot restart itself',
    'run the command that the message names',
  ),
  E_FULL: info(429, 'the queue or channel is full', 'send it again later, or raise its capacity'),
  E_GONE: info(
    400,
    'the other side left before the answer',
    'taskd status shows whether the daemon is back',
  ),
  E_HOST: info(
    403,
    'the Host header names another host',
    'ask for 127.0.0.1 or localhost; a proxy here must not hand its own host name on',
  ),
  E_HTTP: info(500, 'the HTTP port cannot be opened', 'free the port, or set another one'),
  E_INTERNAL: info(500, 'a bug of taskd', 'look at its log, and report it'),
  E_KEY_USED: info(
    422,
    'an Idempotency-Key or uuid came with another request before',
    'use a new one for each task',
  ),
  E_LOCK: info(500, 'the data folder cannot be locked', 'look at its owner and at the disk'),
  E_LOCKED: info(500, 'another daemon uses this data folder', 'stop it, or set another data_dir'),
  E_LOG: info(500, 'the log file cannot be written', 'set log_file, or run taskd as its owner'),
  E_MIGRATION_LOCKED: info(
    500,
    'somebody else changes the tables',
    'look for another taskd at work on this database',
  ),
  E_NOT_TASKD: info(
    500,
    'something else listens on the control socket',
    'look at socket in [taskd]',
  ),
  E_NO_CHANNEL: info(404, 'there is no such channel', 'add [channel:NAME]'),
  E_NO_COUNT: info(404, 'counts of that day are no longer kept', 'ask for a later day'),
  E_NO_DAEMON: info(404, 'no daemon runs here', 'start it, or name its configuration with -c'),
  E_NO_DESCRIPTORS: info(
    503,
    'a program would need more file descriptors than are left',
    'start taskd with a higher limit',
  ),
  E_NO_FILE: info(404, 'a log file cannot be read', 'look at its path'),
  E_NO_JOB: info(404, 'there is no such job', 'taskd status lists the jobs'),
  E_NO_LOG: info(404, 'this output is not kept in a file', 'set stdout_logfile or stderr_logfile'),
  E_NO_METHOD: info(405, 'the route takes another method', 'the header Allow names it'),
  E_NO_NAME: info(404, 'nothing has this name', 'taskd status lists the names'),
  E_NO_OUTPUT: info(
    404,
    'the output of this run is no longer kept',
    'write it to a file of your own',
  ),
  E_NO_PERMISSION: info(
    403,
    'this user may not use the control socket',
    "run it as the daemon's user, or join the socket's group",
  ),
  E_NO_PIPE: info(503, 'no pipe can be made for the output of a program', 'make room in data_dir'),
  E_NO_QUEUE: info(404, 'there is no such queue', 'add [queue:NAME]'),
  E_NO_RELAY: info(404, 'there is no such relay', 'add [relay:NAME]'),
  E_NO_ROUTE: info(404, 'there is no such route', '/docs lists the routes'),
  E_NO_ROW: info(404, 'the task table has no such row', 'taskd task list shows the rows'),
  E_NO_RUN: info(404, 'the run is on another node', 'ask the taskd there'),
  E_NO_TASK: info(
    404,
    'no such task waits, runs or is remembered',
    'taskd runs and taskd fails show those that ended',
  ),
  E_ORIGIN: info(403, 'a page of another site asked', 'ask from a page of the same origin'),
  E_OTHER_CONFIG: info(
    409,
    'the daemon here reads another configuration file',
    'name its file with -c',
  ),
  E_RATE: info(429, 'too many requests', 'wait for as long as Retry-After says'),
  E_REDIS_AWAY: info(
    503,
    'Redis does not answer, or takes no write',
    'taskd status shows since when; try again when it is back',
  ),
  E_REDIS_FULL: info(
    503,
    'Redis has used up its maxmemory',
    'what waits is worked off: try again when there is room, or raise maxmemory',
  ),
  E_REDIS_URL: info(
    500,
    'the address of Redis cannot be read',
    'docs/operating.md shows how it is written',
  ),
  E_RELAY: info(500, 'the Redis of a relay refuses', 'look at its list and at its rights'),
  E_RELAY_AWAY: info(
    503,
    'the Redis of a relay does not answer',
    'try again later; leased tasks come back',
  ),
  E_RUNNING: info(500, 'taskd runs already', 'taskd status shows it'),
  E_SCOPE: info(
    403,
    'this secret may not do that',
    'send one with the scope that the message names',
  ),
  E_SECRET: info(401, 'no secret, or a wrong one', 'send it as Authorization: Bearer SECRET'),
  E_SIGNAL: info(500, 'there is no such signal', 'write HUP, USR1 or 15'),
  E_SLOW: info(408, 'the request did not come in time', 'send it faster, or in parts'),
  E_SOCKET: info(
    500,
    'the control socket cannot be opened',
    'look at data_dir and socket in [taskd]',
  ),
  E_STOPPING: info(503, 'taskd stops', 'send it again to the next daemon'),
  E_STORE_CLOSED: info(
    500,
    'the database is closed already',
    'taskd stops: try again after its next start',
  ),
  E_TABLE: info(
    500,
    'execute_task has columns that taskd cannot fill',
    'give each a default, or let it be NULL',
  ),
  E_TASK_EXISTS: info(
    409,
    'the task table has this task already',
    'choose another task_key, or change that row',
  ),
  E_TASK_TEXT: info(400, 'a field has a control character', 'take it out'),
  E_TASK_TOO_LONG: info(400, 'a field is longer than its column', 'write it shorter'),
  E_TIMEOUT: info(500, 'no answer in time', 'try again, and look at the log'),
  E_TLS: info(
    500,
    'http_cert or http_key cannot be used',
    'give PEM files that belong together and that taskd may read',
  ),
  E_TOO_LARGE: info(413, 'the request is too large', 'send it in several requests'),
  E_UPSTREAM_AWAY: info(
    503,
    'the service at encrypt_url does not answer as it should',
    'look at its log; try again later',
  ),
} as const satisfies Readonly<Record<`E_${string}`, ErrorInfo>>

export type ErrorCode = keyof typeof ERROR_CODES

function info(status: ErrorInfo['status'], meaning: string, remedy: string): ErrorInfo {
  return { status, meaning, remedy }
}
