import { constants } from 'node:os'
import { z } from 'zod'
import { choice, duration, field, filled, flag, integer, no, yes } from '../../config/fields.ts'
import { refuseProcessName } from '../../config/section.ts'
import type { NamedRules } from '../../config/section-kind.ts'
import { parseSize } from '../../lib/size.ts'
import { didYouMean, quoted } from '../../lib/suggest.ts'

export const DEFAULT_MAX_DEATHS = 5
export const DEFAULT_BACKOFF_MAX_MS = 60_000

/** What Linux takes for all arguments and the environment together: a quarter of an 8 MB stack (execve(2)). */
const MAX_COMMAND_BYTES = 2 << 20

/** May say something else for each process, so it is expanded and read for each. */
const perProcess = (example: string) => field<string>(yes, example, 'may be empty').optional()

const signed = field<number>(text => {
  const value = /^[-+]?\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  return Number.isNaN(value) ? no('is not a whole number') : yes(value)
}, '999')

const autorestart = field<'always' | 'unexpected' | 'never'>(text => {
  if (text.toLowerCase() === 'unexpected') return yes('unexpected')
  const read = flag.safeParse(text)
  if (read.success) return yes(read.data ? 'always' : 'never')
  return no('is none of true, false, unexpected', 'write true, false or unexpected')
}, 'unexpected')

const exitCodes = field<readonly number[]>(
  text => {
    const codes = text === '' ? [] : text.split(',').map(part => part.trim())
    const bad = codes.find(code => !/^\d{1,3}$/.test(code) || Number(code) > 255)
    return bad === undefined
      ? yes(codes.map(Number))
      : no(`has ${JSON.stringify(bad.slice(0, 20))}, which is no exit code from 0 to 255`)
  },
  '0,2',
  'may be empty',
)

const SIGNALS = new Map<string, NodeJS.Signals>()
for (const name of Object.keys(constants.signals)) SIGNALS.set(name, name as NodeJS.Signals)

const stopSignal = field<NodeJS.Signals>(text => {
  const name = text.toUpperCase()
  const [byNumber] = Object.entries(constants.signals).find(([, at]) => String(at) === text) ?? []
  const found = SIGNALS.get(byNumber ?? name) ?? SIGNALS.get(`SIG${name}`)
  if (found !== undefined) return yes(found)
  const known = [...SIGNALS.keys()].map(one => one.slice(3))
  const hint = didYouMean(name.replace(/^SIG/, ''), known, 'write for instance TERM', quoted)
  return no('is no signal', hint)
}, 'TERM')

const umask = field<number>(text => {
  const value = /^(?:0o)?[0-7]{1,5}$/i.test(text)
    ? Number.parseInt(text.replace(/^0o/i, ''), 8)
    : -1
  return value >= 0 && value <= 0o777 ? yes(value) : no('is not an octal number up to 777')
}, '022')

const account = field<string>(
  text =>
    /^[^\s:,-][^\s:,]{0,255}$/.test(text)
      ? yes(text)
      : no('is neither a name nor a number of a user'),
  'www-data',
)

const size = field<number>(parseSize, '50MB')

const output = {
  logfile: perProcess('/var/log/x.log'),
  logfile_maxbytes: size.default(50 * 1024 * 1024),
  logfile_backups: integer(0, 10_000, 10).default(10),
  capture_maxbytes: size.default(0),
  events_enabled: flag.default(false),
  syslog: flag.default(false),
}

const programSchema = z.object({
  command: filled('/usr/bin/php /srv/worker.php', MAX_COMMAND_BYTES),
  process_name: perProcess('%(program_name)s_%(process_num)02d'),
  numprocs: integer(0, 10_000, 1).default(1),
  numprocs_start: integer(0, 1_000_000, 0).default(0),
  priority: signed.default(999),
  autostart: flag.default(true),
  startsecs: duration('1').default(1000),
  startretries: integer(0, 1_000_000_000, 3).default(3),
  autorestart: autorestart.default('unexpected'),
  exitcodes: exitCodes.default([0]),
  stopsignal: stopSignal.default('SIGTERM'),
  stopwaitsecs: duration('10').default(10_000),
  stopasgroup: flag.default(false),
  killasgroup: flag.optional(),
  user: account.optional(),
  redirect_stderr: flag.default(false),
  stdout_logfile: output.logfile,
  stdout_logfile_maxbytes: output.logfile_maxbytes,
  stdout_logfile_backups: output.logfile_backups,
  stdout_capture_maxbytes: output.capture_maxbytes,
  stdout_events_enabled: output.events_enabled,
  stdout_syslog: output.syslog,
  stderr_logfile: output.logfile,
  stderr_logfile_maxbytes: output.logfile_maxbytes,
  stderr_logfile_backups: output.logfile_backups,
  stderr_capture_maxbytes: output.capture_maxbytes,
  stderr_events_enabled: output.events_enabled,
  stderr_syslog: output.syslog,
  environment: perProcess('A="x",B="y"'),
  directory: perProcess('/srv'),
  umask: umask.optional(),
  serverurl: field<string>(yes, 'AUTO', 'may be empty').optional(),
  backoff: duration('1s', 1).default(1000),
  backoff_max: duration('60s', 1).optional(),
  fatal_retry: duration('5m').default(300_000),
  max_deaths: integer(1, 1_000_000_000, DEFAULT_MAX_DEATHS).optional(),
  death_window: duration('60s', 1000).default(60_000),
  on_orphan: choice(['kill', 'adopt']).default('kill'),
  log_gzip: flag.default(false),
  log_timestamps: flag.default(false),
})

const groupSchema = z.object({
  programs: field<string>(yes, 'a,b', 'may be empty').default(''),
  priority: signed.default(999),
})

/** The keys of `[program:NAME]`. */
export const PROGRAM = {
  kind: 'program',
  home: '[program:NAME]',
  schema: programSchema,
  examples: { command: '/usr/bin/php /srv/worker.php' },
  refuseName: refuseProcessName,
} as const satisfies NamedRules

export type ProgramValues = z.output<typeof programSchema>

/** The keys of `[group:NAME]`. */
export const GROUP = {
  kind: 'group',
  home: '[group:NAME]',
  schema: groupSchema,
  examples: { programs: 'a,b' },
  refuseName: refuseProcessName,
} as const satisfies NamedRules

/** For `[supervisord]`, whose user and umask the programs have where they name none. */
export const supervisordSchema = z.object({ user: account, umask })
