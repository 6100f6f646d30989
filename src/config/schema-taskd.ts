import { z } from 'zod'
import type { LogLevel } from '../lib/log.ts'
import { FENCES } from '../model/fence-mode.ts'
import { readDatabase, readHttp, readRedis } from './addresses.ts'
import { choice, duration, field, filled, flag, integer, no, timezone, yes } from './fields.ts'
import { A_FILE_FOR_AN_AT, orFromFile } from './from-file.ts'
import { rate } from './rate.ts'
import { readAllowed } from './rpc-allow.ts'
import { readScripts } from './script-allow.ts'

/** Repeated here, so that the log module is not loaded just for these words. */
const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const satisfies readonly LogLevel[]

/** A part of every workerId and hence of Redis keys, where `:` separates. */
const node = field<string>(
  text =>
    /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]{0,99}$/u.test(text)
      ? yes(text)
      : no('is not a name for a node', 'use up to 100 letters, digits and _ . -'),
  'web-1',
)

/** It is sent in a header, which cannot hold line ends and loses blanks at both ends. */
const secret = field<string>(
  orFromFile(
    text =>
      /^\P{Cc}+$/u.test(text) && text.trim() === text
        ? yes(text)
        : no('cannot be sent in a header', 'use no control characters, and no blanks at the ends'),
    A_FILE_FOR_AN_AT,
  ),
  'a long random text',
)

export const taskdSchema = z.object({
  node: node.optional(),
  redis: field(orFromFile(readRedis), 'embedded').default('embedded'),
  database: field(orFromFile(readDatabase), 'sqlite:path').optional(),
  data_dir: filled('/var/lib/taskd').optional(),
  socket: filled('/run/taskd/taskd.sock').optional(),
  http: field(readHttp, '127.0.0.1:9595').default('off'),
  http_cert: filled('/etc/taskd/http.crt').optional(),
  http_key: filled('/etc/taskd/http.key').optional(),
  http_rate: rate.optional(),
  secret: secret.optional(),
  secret_read: secret.optional(),
  secret_push: secret.optional(),
  secret_pull: secret.optional(),
  rpc_allow: field(readAllowed, '10.0.0.0/8').optional(),
  timezone: timezone.optional(),
  max_run_time: duration('3600s', 1).default(3_600_000),
  stop_wait: duration('30s').default(30_000),
  kill_wait: duration('10s').default(10_000),
  node_timeout: duration('60s', 5000).optional(),
  fence: choice(FENCES).default('sync'),
  log_level: choice(LEVELS).default('info'),
  log_file: filled('/var/log/taskd.log').optional(),
  log_format: choice(['text', 'json']).default('text'),
  result_keep_time: duration('1d', 1000).default(86_400_000),
  result_keep_count: integer(1, 100_000_000, 100_000).default(100_000),
  fail_keep_time: duration('1d', 1000).default(86_400_000),
  bin_path: filled('/srv/taskbin').optional(),
  fail_on_stderr: flag.default(false),
  script_allow: field(readScripts, '/srv/app/*.php').optional(),
  tasks: filled('tasks').optional(),
  php: filled('/usr/bin/php').optional(),
  redis_server: filled('/usr/bin/redis-server').optional(),
})
