import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../../config/config.ts'
import type { Report } from '../../config/diagnostics.ts'
import type { Places } from '../../config/paths.ts'
import { expandNow, type Names, scopeOf } from '../../config/scope.ts'
import type { Section } from '../../config/section.ts'
import { inFolder, type LogFolders } from './log-path.ts'
import { readPairs } from './pairs.ts'
import { supervisordSchema } from './schema.ts'

/** What all programs of a configuration share. */
export interface ProgramWorld {
  readonly env: Environment
  readonly folders: LogFolders
  /** `[supervisord] environment`. */
  readonly environment: Readonly<Record<string, string>>
  readonly user?: string
  readonly umask?: number
  readonly directory?: string
  /** Whether the files know a user, by name or number; asked only where one is named. */
  isUser(name: string): boolean
}

/**
 * supervisord itself runs with the `environment`, `user`, `umask` and `directory` of its section,
 * and its programs inherit them: without those they would do something else here.
 */
export function programWorld(
  section: Section | undefined,
  env: Environment,
  places: Places,
  dataDir: string,
  report: Report,
): ProgramWorld {
  const folders = {
    base: places.root,
    home: env['HOME'] ?? homedir(),
    auto: join(dataDir, 'log'),
  }
  const texts = section === undefined ? {} : textsOf(section, env, report)
  const directory = texts.directory === undefined ? undefined : inFolder(texts.directory, folders)
  const { user } = texts
  return {
    env,
    folders: { ...folders, ...(directory !== undefined && { base: directory }) },
    environment: texts.environment ?? {},
    // root need not change its user, and others cannot.
    ...(user !== undefined && user !== 'root' && user !== '0' && { user }),
    ...(texts.umask !== undefined && { umask: texts.umask }),
    ...(directory !== undefined && { directory }),
    isUser: usersOf(),
  }
}

interface Inherited {
  environment?: Readonly<Record<string, string>>
  user?: string
  umask?: number
  directory?: string
}

function textsOf(section: Section, env: Environment, report: Report): Inherited {
  const inherited: Inherited = {}
  const names: Names = { texts: {}, env }
  for (const name of ['environment', 'user', 'umask', 'directory'] as const) {
    const entry = section.entries.get(name)
    if (entry === undefined || entry.value === '') continue
    const read = expandNow(entry.value, scopeOf(names, entry.file))
    if (!read.ok) {
      report.problem(entry, read.reason, read.hint ?? '')
      continue
    }
    if (name === 'environment') {
      const pairs = readPairs(read.value)
      if (pairs.ok) inherited.environment = Object.fromEntries(pairs.value)
      else report.problem(entry, pairs.reason, pairs.hint ?? '')
    } else if (name === 'directory') inherited.directory = read.value
    else {
      const parsed = supervisordSchema.shape[name].safeParse(read.value)
      if (parsed.success) Object.assign(inherited, { [name]: parsed.data })
      else
        report.problem(entry, parsed.error.issues[0]?.message ?? 'cannot be read', EXAMPLES[name])
    }
  }
  return inherited
}

const EXAMPLES = { user: 'write for instance www-data', umask: 'write for instance 022' }

function usersOf(): (name: string) => boolean {
  let users: ReadonlySet<string> | undefined
  return name => {
    users ??= readUsers()
    // Without the file it cannot be judged.
    return users.size === 0 || users.has(name)
  }
}

function readUsers(): ReadonlySet<string> {
  try {
    const rows = readFileSync('/etc/passwd', 'utf8').split('\n')
    return new Set(rows.flatMap(row => row.split(':').filter((_, at) => at === 0 || at === 2)))
  } catch {
    return new Set()
  }
}
