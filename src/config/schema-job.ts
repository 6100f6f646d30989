import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'
import { MISFIRES, OVERLAPS } from '../model/job.ts'
import { readEnvironment } from './environment.ts'
import { choice, duration, field, filled, flag, integer, no, timezone, yes } from './fields.ts'
import { TRIGGERS } from './run-time.ts'

/** An argument of the script; may be empty. */
const passedOn = field<string>(yes, '', 'may be empty').default('')

const MAX_RETRIES = 1000

/** `10 60 300`: seconds, or durations. */
const intervals = field<readonly number[]>(text => {
  const waits: number[] = []
  for (const part of text.split(/[\s,]+/)) {
    const parsed = parseDuration(part)
    if (!parsed.ok) return no(`${JSON.stringify(part.slice(0, 40))} ${parsed.reason}`)
    waits.push(parsed.value)
  }
  return waits.length > MAX_RETRIES ? no(`has more than ${MAX_RETRIES} parts`) : yes(waits)
}, '10 60 300')

const user = field<string>(
  text =>
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?$/.test(text) ? yes(text) : no('is not a name for a user'),
  'www-data',
)

export const jobSchema = z.object({
  task_key: filled('sync_tasks'),
  run_time: filled('*/5 * * * *'),
  script: filled('/var/www/points/index.php'),
  controller: passedOn,
  function: passedOn,
  param: passedOn,
  enabled: flag.default(true),
  trigger: choice(TRIGGERS).default('cron'),
  timezone: timezone.optional(),
  overlap: choice(OVERLAPS).default('skip'),
  misfire: choice(MISFIRES).default('once'),
  misfire_grace: duration('60s').default(60_000),
  max_backfill: integer(0, 100_000, 100).default(100),
  jitter: duration('10s').default(0),
  max_run_time: duration('10m', 1).optional(),
  retries: integer(0, MAX_RETRIES, 3).optional(),
  retry_intervals: intervals.optional(),
  interpreter: filled('/usr/bin/php').optional(),
  directory: filled('/var/www').optional(),
  user: user.optional(),
  environment: field(readEnvironment, 'A="x",B=y').optional(),
  priority: integer(1, 9, 5).default(5),
  pause_on_failures: integer(0, 1_000_000, 5).default(0),
})
