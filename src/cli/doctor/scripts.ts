import { accessSync, constants, statSync } from 'node:fs'
import type { Config } from '../../config/config.ts'
import { count } from '../../lib/count.ts'
import { codeOf, messageOf } from '../../lib/errors.ts'
import { interpreterOf } from '../../model/interpreter.ts'
import type { Job } from '../../model/job.ts'
import { type Finding, fail, type Look, ok, type Patient } from './finding.ts'
import { findProgram } from './programs.ts'

/** More would say the same. */
const SHOWN = 5

export const lookAtScripts: Look = patient => {
  const { config } = patient
  const elsewhere = config?.queues.filter(queue => queue.mode === 'pull') ?? []
  const isHere = (job: Job) => !elsewhere.some(queue => queue.taskKey === job.task.taskKey)
  const jobs = config?.jobs.filter(job => job.enabled && isHere(job)) ?? []
  if (config === undefined || jobs.length === 0) return []
  return [...scripts(jobs), ...interpreters(jobs, config, patient)]
}

function scripts(jobs: readonly Job[]): Finding[] {
  const seen = new Map(jobs.map(job => [job.task.script, job.name]))
  const bad: Finding[] = []
  for (const [script, job] of seen) {
    const problem = mayRead(script)
    if (problem === '') continue
    bad.push(
      fail('script', `${script} of job ${job}: ${problem}`, 'correct script, or its permissions'),
    )
  }
  if (bad.length === 0) return [ok('scripts', `${count(seen.size, 'script')} can be read`)]
  const more = bad.length - SHOWN
  const rest = fail(
    'script',
    `and ${more} more like these`,
    'correct the first ones and look again',
  )
  return [...bad.slice(0, SHOWN), ...(more > 0 ? [rest] : [])]
}

function mayRead(script: string): string {
  try {
    accessSync(script, constants.R_OK)
    return statSync(script).isDirectory() ? 'is a directory' : ''
  } catch (error) {
    switch (codeOf(error)) {
      case 'ENOENT':
        return 'is not there'
      case 'EACCES':
        return 'this user may not read it'
      default:
        return messageOf(error)
    }
  }
}

const PACKAGES: Readonly<Record<string, string>> = {
  php: 'apt-get install php-cli, or set php = /path/to/php in [taskd]',
  python3: 'apt-get install python3',
}

/** What the jobs need, each program once, with one job as the example. */
function interpreters(jobs: readonly Job[], { settings }: Config, { env }: Patient): Finding[] {
  const needed = new Map<string, string>()
  for (const { name, task } of jobs) {
    const written = task.interpreter?.split(/\s+/, 1)[0]
    const program = written ?? interpreterOf(task.script, settings.php ?? 'php')
    if (program !== undefined && !needed.has(program)) needed.set(program, name)
  }
  return [...needed].map(([program, job]) => {
    const found = findProgram(program, env)
    if (found !== undefined) return ok('interpreter', `${program} at ${found}`)
    const remedy = PACKAGES[program] ?? 'install it, or name another with interpreter in the job'
    return fail('interpreter', `${program}, which job ${job} needs, is not installed`, remedy)
  })
}
