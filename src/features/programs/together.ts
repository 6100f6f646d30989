import type { Report } from '../../config/diagnostics.ts'
import { type Checked, placeOf } from '../../config/schema.ts'
import { count } from '../../lib/count.ts'
import { formatDuration } from '../../lib/duration.ts'
import { isAuto, isNone, NO_SYSLOG, syslogRemedy } from './log-path.ts'
import { DEFAULT_BACKOFF_MAX_MS, PROGRAM } from './schema.ts'

type Program = Checked<typeof PROGRAM.schema>

const STREAMS = ['stdout', 'stderr'] as const

/** Rules that need more than one key; and what supervisord has and taskd has not. */
export function checkProgramTogether(checked: Program, report: Report): void {
  const { section, values } = checked
  const at = (name: string) => placeOf(section, name)
  const { numprocs = 1, backoff = 0 } = values
  const backoffMax = values.backoff_max ?? DEFAULT_BACKOFF_MAX_MS
  if (numprocs > 1 && !(values.process_name ?? '').includes('%(process_num)')) {
    const key = section.entries.has('process_name') ? 'process_name' : 'numprocs'
    const hint = 'write process_name = %(program_name)s_%(process_num)02d'
    report.problem(at(key), 'makes several processes with one name', hint)
  }
  if (values.stopasgroup === true && values.killasgroup === false)
    report.problem(
      at('killasgroup'),
      'cannot be false when stopasgroup is true',
      'remove it, or write stopasgroup = false',
    )
  if (values.backoff_max !== undefined && backoff > backoffMax)
    report.problem(
      at('backoff_max'),
      `is shorter than backoff = ${formatDuration(backoff)}`,
      'lengthen it, or shorten backoff',
    )
  if (values.on_orphan === 'adopt' && values.log_timestamps === true)
    report.problem(
      at('log_timestamps'),
      'cannot be had with on_orphan = adopt, where the program writes its log file itself',
      'remove one of them',
    )
  checkDeaths(checked, report)
  for (const stream of STREAMS) checkStream(checked, stream, report)
  noteRedirected(checked, report)
  noteServerUrl(checked, report)
  noteJoinedLines(checked, report)
  if (section.entries.get('command')?.value.includes('\\\n')) {
    const message = 'has a backslash at the end of a line, which puts a line break into an argument'
    report.note(at('command'), message, 'remove it: indented lines go on by themselves')
  }
}

function checkDeaths({ section, values }: Program, report: Report): void {
  const { max_deaths: deaths, startretries, death_window: windowMs } = values
  if (deaths === undefined || startretries === undefined || !section.entries.has('startretries'))
    return
  if (deaths > startretries) return
  const window = formatDuration(windowMs ?? 0)
  const message = `comes before the ${count(startretries, 'retry', 'retries')}: ${count(deaths, 'death')} within ${window} ${deaths === 1 ? 'ends' : 'end'} them`
  report.note(placeOf(section, 'max_deaths'), message, 'leave max_deaths out, or raise it')
}

function checkStream(
  { section, values }: Program,
  stream: (typeof STREAMS)[number],
  report: Report,
) {
  const at = (name: string) => placeOf(section, `${stream}_${name}`)
  if (values[`${stream}_syslog`] === true)
    report.problem(at('syslog'), NO_SYSLOG, syslogRemedy(stream))
  if (values[`${stream}_events_enabled`] === true)
    report.note(at('events_enabled'), 'taskd has no events for listeners', 'remove it')
  if ((values[`${stream}_capture_maxbytes`] ?? 0) > 0)
    report.note(at('capture_maxbytes'), 'taskd has no capture mode', 'remove it')
  const file = values[`${stream}_logfile`] ?? 'AUTO'
  const unused = stream === 'stderr' && values.redirect_stderr === true
  if (isAuto(file) && !unused && values[`${stream}_logfile_maxbytes`] === 0) {
    const hint = 'write for instance 50MB'
    report.note(at('logfile_maxbytes'), 'lets the log grow without end', hint)
  }
}

function noteRedirected({ section, values }: Program, report: Report): void {
  const file = values.stderr_logfile
  if (values.redirect_stderr !== true || file === undefined || isAuto(file) || isNone(file)) return
  const message = 'has no effect: redirect_stderr = true sends all to stdout_logfile'
  report.note(placeOf(section, 'stderr_logfile'), message, 'remove one of them')
}

function noteServerUrl({ section, values }: Program, report: Report): void {
  const url = values.serverurl?.trim().toUpperCase() ?? ''
  if (url === '' || url === 'AUTO') return
  const message = 'has no effect: there is no server for SUPERVISOR_SERVER_URL to name'
  report.note(placeOf(section, 'serverurl'), message, 'remove it')
}

/** `stderr_logfile = a.log stderr_logfile_maxbytes = 10MB`: two lines that became one. */
function noteJoinedLines({ section }: Program, report: Report): void {
  for (const entry of section.entries.values()) {
    if (entry.name === 'command' || entry.name === 'environment') continue
    for (const [, name = ''] of entry.value.matchAll(/\s([a-z_]{3,30})\s{0,20}[=:]/g)) {
      if (!Object.hasOwn(PROGRAM.schema.shape, name)) continue
      const message = `goes on to the end of the line, with ${name} in it`
      report.note(entry, message, `put ${name} on a line of its own`)
    }
  }
}
