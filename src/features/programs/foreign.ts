import type { Report } from '../../config/diagnostics.ts'
import type { Section } from '../../config/section.ts'

const USED = ['environment', 'user', 'umask', 'directory'] as const
/** The usual limit of a Linux process. */
const COMMON_FILES = 1024

/** Reports what becomes of a section that is supervisord's own. */
export function judgeForeign(section: Section, report: Report): void {
  const { kind, place, entries } = section
  const refusal = REFUSALS[kind]
  if (refusal !== undefined) {
    report.problem(place, ...refusal)
    return
  }
  const note = NOTES[kind]
  if (note === undefined) return
  const used = kind === 'supervisord' ? USED.filter(name => entries.has(name)) : []
  const message =
    used.length === 0
      ? 'is for supervisord; taskd does not use it'
      : `is for supervisord; taskd uses ${used.join(', ')} of it, for the programs`
  report.note(place, message, note)
  const minfds = kind === 'supervisord' ? entries.get('minfds') : undefined
  if (minfds !== undefined && Number(minfds.value) > COMMON_FILES) {
    const hint = 'raise it where the daemon is started: LimitNOFILE= of systemd, or ulimit -n'
    report.note(minfds, 'taskd does not raise the limit of open files', hint)
  }
}

const NOTES: Partial<Record<string, string>> = {
  supervisord: 'the settings of the daemon stand in [taskd]',
  supervisorctl: 'taskd is its own command line, and finds the daemon by --config',
  unix_http_server: 'the control socket is set by socket in [taskd]',
  inet_http_server: 'see http in [taskd]',
  rpcinterface: 'there is no XML-RPC; taskd answers in JSON',
  ctlplugin: 'taskd is its own command line',
}

const REFUSALS: Partial<Record<string, readonly [string, string]>> = {
  eventlistener: [
    'is not supported: taskd has no events for listeners',
    'remove the section; what happened is in the log of taskd, and `taskd status --json` tells the state',
  ],
  'fcgi-program': [
    'is not supported: taskd opens no FastCGI socket',
    'write a [program:x] that opens it, such as php-fpm -F or spawn-fcgi -n',
  ],
}
