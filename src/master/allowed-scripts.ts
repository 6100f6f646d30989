import { realpathSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import type { Config } from '../config/config.ts'
import { isPattern, matchesGlob } from '../config/glob.ts'
import type { LiveConfig } from '../config/live.ts'
import { valueOf } from '../config/section-kind.ts'
import { KINDS } from '../features/index.ts'
import { TaskdError } from '../lib/errors.ts'
import { realFile } from '../lib/inside.ts'
import type { TaskTemplate } from '../model/job.ts'
import type { Task } from '../model/task.ts'

/**
 * Which scripts a caller without the scope `admin` may have run: those of jobs and table queues,
 * what lies inside `bin_path`, and what `script_allow` lists.
 */
export class AllowedScripts {
  readonly #config: LiveConfig
  #from: Config | undefined
  #ofJobs: ReadonlyMap<string, readonly TaskTemplate[]> = new Map()

  constructor(config: LiveConfig) {
    this.#config = config
  }

  /**
   * The task as it may be run. A script of a job runs as it does for the job, above all as the same
   * user: whoever may write the script must not have it run as our user.
   * @throws TaskdError E_SCOPE, E_BAD_TASK
   */
  check(task: Task): Task {
    // Files of bin_path, requests and functions are judged right before they run.
    if (task.call !== undefined) return task
    const script = resolve(task.script)
    const like = this.#likeJob(task, script)
    if (like) return like
    const { binPath, scriptAllow = [] } = this.#config.current.settings
    const entries = [...(binPath === undefined ? [] : [binPath]), ...scriptAllow]
    // Both as it is written and where it leads to: a link elsewhere could be moved after this look.
    if (!entries.some(entry => holds(entry, script))) throw notAllowed(script)
    const real = realFile(script)
    if (!real.ok) throw new TaskdError('E_BAD_TASK', `script ${script}: ${real.reason}`)
    if (!entries.some(entry => holds(entry, real.value)))
      throw notAllowed(script, `, as it leads to ${real.value}`)
    return task
  }

  #likeJob(task: Task, script: string): Task | undefined {
    const templates = this.#templates().get(script) ?? []
    const same = templates.find(one => ARGUMENTS.every(name => one[name] === task[name]))
    const like = same ?? (isOfSystem(script) ? undefined : templates[0])
    if (!like) return undefined
    const { interpreter, directory, user, environment } = like
    return {
      ...task,
      ...(interpreter !== undefined && { interpreter }),
      ...(directory !== undefined && { directory }),
      ...(user !== undefined && { user }),
      ...(environment !== undefined && { environment }),
    }
  }

  #templates(): ReadonlyMap<string, readonly TaskTemplate[]> {
    const config = this.#config.current
    if (this.#from === config) return this.#ofJobs
    const found = new Map<string, TaskTemplate[]>()
    for (const { task } of [...config.jobs, ...tasksOf(config)]) {
      const others = found.get(task.script)
      if (others) others.push(task)
      else found.set(task.script, [task])
    }
    this.#from = config
    this.#ofJobs = found
    return found
  }
}

const ARGUMENTS = ['controller', 'function', 'param'] as const

/**
 * `/bin/sh`, `/opt/php82/bin/php`, a link to one of them: their arguments can make them do anything,
 * so they are allowed only with those of the job.
 */
function isOfSystem(script: string): boolean {
  const real = realFile(script)
  return [script, ...(real.ok ? [real.value] : [])].some(one => /\/s?bin\/[^/]+$/.test(one))
}

/** Whether an entry names this path: as the entry is written, or as its folders really are. */
function holds(entry: string, path: string): boolean {
  return [entry, realEntry(entry)].some(one =>
    isPattern(one) ? matchesGlob(path, one) : path === one || path.startsWith(one + sep),
  )
}

/** The real path of the part of an entry before its first wild card. */
function realEntry(entry: string): string {
  const parts = entry.split('/')
  const wild = parts.findIndex(isPattern)
  const fixed = wild < 0 ? entry : parts.slice(0, wild).join('/')
  try {
    return join(realpathSync.native(fixed), ...(wild < 0 ? [] : parts.slice(wild)))
  } catch {
    return entry
  }
}

function notAllowed(script: string, why = ''): TaskdError {
  return new TaskdError(
    'E_SCOPE',
    `script ${script} may not be pushed with the scope push${why}: it is not inside bin_path, no job runs it like this, and script_allow does not list it`,
    'list it in script_allow of [taskd], or send the secret that has the scope admin',
  )
}

/** The tasks of sections other than jobs. */
function tasksOf(config: Config) {
  const tasks = KINDS.ofFeatures.flatMap(kind => kind.tasks?.(valueOf(config, kind)) ?? [])
  return tasks.map(task => ({ task }))
}
