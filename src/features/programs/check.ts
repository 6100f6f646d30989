import type { Report } from '../../config/diagnostics.ts'
import { type Compiled, compile, type Format, holds, render } from '../../config/format.ts'
import { checkSection, placeOf } from '../../config/schema.ts'
import { expandNow, type Names, scopeOf } from '../../config/scope.ts'
import { refuseProcessName, type Section } from '../../config/section.ts'
import type { ProgramWorld } from './defaults.ts'
import type { Membership } from './groups.ts'
import { readPairs } from './pairs.ts'
import { type ProgramSpec, type ProgramTemplate, processOf } from './processes.ts'
import { restartOf } from './restart.ts'
import { PROGRAM, type ProgramValues } from './schema.ts'
import { checkProgramTogether } from './together.ts'

/** They may hold the number of the process, so they are expanded for each. */
const PER_PROCESS = [
  'command',
  'process_name',
  'environment',
  'directory',
  'stdout_logfile',
  'stderr_logfile',
] as const

/** Reads a program as it is in one group; what is wrong goes into the report. */
export function checkProgram(
  member: Membership,
  world: ProgramWorld,
  report: Report,
): ProgramSpec | undefined {
  const { program: section, group } = member
  const names: Names = {
    texts: { program_name: section.name, group_name: group },
    env: world.env,
    more: world.environment,
  }
  const { texts, sound } = expandFixed(section, names, report)
  const checked = checkSection(PROGRAM, sound, report, one => texts.get(one.name) ?? one.value)
  checkProgramTogether(checked, report)
  noteUser(sound, checked.values.user, world, report)
  const formats = readFormats(sound, names, report)
  const values = checked.complete
  if (values === undefined || formats === undefined || sound !== section) return undefined
  const spec: ProgramSpec = {
    name: section.name,
    group,
    numprocs: values.numprocs,
    scalable: holds(formats.process_name, 'process_num'),
    file: section.place.file,
    line: section.place.line,
    template: buildTemplate(member, values, formats, world),
  }
  return tryOut(spec, section, report) ? spec : undefined
}

/** The values that are the same for all processes. A section without those that cannot be expanded. */
function expandFixed(section: Section, names: Names, report: Report) {
  const texts = new Map<string, string>()
  const broken = new Set<string>()
  for (const entry of section.entries.values()) {
    if (PER_PROCESS.some(one => one === entry.name) || !entry.value.includes('%')) continue
    const read = expandNow(entry.value, scopeOf(names, entry.file))
    if (read.ok) texts.set(entry.name, read.value)
    else {
      broken.add(entry.name)
      report.problem(entry, read.reason, read.hint ?? '')
    }
  }
  if (broken.size === 0) return { texts, sound: section }
  const entries = new Map([...section.entries].filter(([name]) => !broken.has(name)))
  return { texts, sound: { ...section, entries } }
}

function noteUser(
  section: Section,
  user: string | undefined,
  world: ProgramWorld,
  report: Report,
): void {
  if (user === undefined || world.isUser(user)) return
  const hint =
    'right if the system knows the user from elsewhere, such as LDAP; else it will not start'
  report.note(placeOf(section, 'user'), 'is not in /etc/passwd', hint)
}

type Formats = Readonly<Record<(typeof PER_PROCESS)[number], Format>>

const NONE: ReadonlySet<string> = new Set()
const PROCESS_NAME = '%(program_name)s'
const AUTO: Format = ['AUTO']
const DEFAULTS: Readonly<Partial<Record<string, Format>>> = {
  stdout_logfile: AUTO,
  stderr_logfile: AUTO,
}

function readFormats(section: Section, names: Names, report: Report): Formats | undefined {
  const environment = format('environment', NONE)
  const own = environment === undefined ? NONE : variablesOf(environment)
  const formats: Partial<Record<string, Format>> = { environment: environment ?? [] }
  let failed = environment === undefined
  for (const key of PER_PROCESS) {
    if (key === 'environment') continue
    const read = format(key, own)
    if (read === undefined) failed = true
    else formats[key] = read
  }
  return failed ? undefined : (formats as Formats)

  function format(key: string, own: ReadonlySet<string>): Format | undefined {
    const { file, value } = section.entries.get(key) ?? section.place
    if (!section.entries.has(key) && key !== 'process_name') return DEFAULTS[key] ?? []
    const text = section.entries.has(key) ? value : PROCESS_NAME
    const read: Compiled = compile(text, scopeOf({ ...names, own }, file))
    if (read.ok) return read.value
    report.problem(placeOf(section, key), read.reason, read.hint ?? '')
    return undefined
  }
}

/** As `%(ENV_X)s`: the variables of its own that every process has, whatever its number. */
function variablesOf(environment: Format): ReadonlySet<string> {
  if (environment.length === 0) return NONE
  const [one, other] = [1, 2].map(number => {
    const read = readPairs(render(environment, () => number))
    return read.ok ? [...read.value.keys()].map(name => `ENV_${name}`) : []
  })
  return new Set(one?.filter(name => other?.includes(name)))
}

function buildTemplate(
  { program, group, groupPriority }: Membership,
  values: ProgramValues,
  formats: Formats,
  world: ProgramWorld,
): ProgramTemplate {
  const user = values.user ?? world.user
  const umask = values.umask ?? world.umask
  const directory = formats.directory.length > 0 ? formats.directory : undefined
  const fallback = world.directory === undefined ? undefined : [world.directory]
  const workingIn = directory ?? fallback
  const log = (stream: 'stdout' | 'stderr') => ({
    stream,
    file: formats[`${stream}_logfile`],
    limits: {
      maxBytes: values[`${stream}_logfile_maxbytes`],
      backups: values[`${stream}_logfile_backups`],
      gzip: values.log_gzip,
      timestamps: values.log_timestamps,
      through: values.on_orphan === 'adopt' ? ('file' as const) : ('pipe' as const),
    },
  })
  return {
    same: {
      program: program.name,
      group,
      ...(user !== undefined && { user }),
      ...(umask !== undefined && { umask }),
      groupPriority: groupPriority ?? values.priority,
      priority: values.priority,
      autostart: values.autostart,
      restart: restartOf(values),
      stopSignal: values.stopsignal,
      stopAsGroup: values.stopasgroup,
      killAsGroup: values.killasgroup ?? values.stopasgroup,
      onOrphan: values.on_orphan,
    },
    firstNumber: values.numprocs_start,
    processName: formats.process_name,
    command: formats.command,
    environment: formats.environment,
    baseEnvironment: world.environment,
    ...(workingIn !== undefined && { directory: workingIn }),
    stdout: log('stdout'),
    stderr: values.redirect_stderr ? 'stdout' : log('stderr'),
    folders: world.folders,
  }
}

/** Tries the processes with the shortest numbers: if they can be made, all can. */
function tryOut(spec: ProgramSpec, section: Section, report: Report): boolean {
  // A wrong section name is reported elsewhere.
  if (refuseProcessName(spec.name) !== undefined) return false
  const first = spec.template.firstNumber
  for (const numprocs of new Set([spec.numprocs, 1])) {
    const made = processOf(spec, first, numprocs)
    if (made.ok) continue
    report.problem(placeOf(section, made.key), made.reason, made.hint ?? '')
    return false
  }
  return true
}
