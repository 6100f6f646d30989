import { resolve } from 'node:path'
import type { Job, Trigger } from '../model/job.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { CheckSchedule, Environment, Loaded } from './config.ts'
import { JOB, QUEUE } from './core-kinds.ts'
import { Report } from './diagnostics.ts'
import { buildJob } from './jobs.ts'
import { placesOf } from './paths.ts'
import { BUILT_IN_QUEUES, buildQueue } from './queues.ts'
import { CRON_HINT, readRunTime, splitRemedy } from './run-time.ts'
import { type Checked, checkSection, placeOf } from './schema.ts'
import { isQueueName, refuseJobName, refuseQueueName, type Section } from './section.ts'
import { checkName, type SectionKinds, type Surroundings } from './section-kind.ts'
import { buildSettings, checkSettings } from './settings.ts'
import { gather, type Sources } from './sources.ts'
import {
  checkJobTogether,
  checkQueueTogether,
  checkSettingsTogether,
  type JobRules,
} from './validate.ts'

/** What the configuration asks of the world outside it. */
export interface ConfigDeps {
  /** Every kind of section that a feature has. */
  readonly kinds: SectionKinds
  /** How many files a process of ours may have open; not set: nothing is said about that. */
  readonly openFiles?: number
  readonly checkSchedule: CheckSchedule
}

/**
 * Reads a configuration: a frozen value, or every mistake in it. It never throws for what a file
 * says, and touches nothing but the files it reads.
 */
export function loadConfig(file: string, env: Environment, deps: ConfigDeps): Loaded {
  const report = new Report(deps.kinds)
  return judge(file, gather(file, env, report), env, deps, report)
}

/** What sections mean, together with all that was found wrong before. */
export function judge(
  file: string,
  { files, sections }: Sources,
  env: Environment,
  deps: ConfigDeps,
  report: Report,
): Loaded {
  const absolute = resolve(file)
  const places = placesOf(absolute)
  const of = (kind: Section['kind']) => sections.filter(section => section.kind === kind)

  const taskd = checkSettings(of('taskd')[0], file, env, report)
  const settings = buildSettings(taskd.values, places)
  checkSettingsTogether(taskd, settings, report)

  const queues = readQueues(of('queue'), report)
  const rules: JobRules = {
    queues: new Map(queues.map(queue => [queue.taskKey, queue])),
    queueNames: [...BUILT_IN_QUEUES, ...of('queue').map(section => section.name)],
    maxRunTimeMs: settings.maxRunTimeMs,
  }
  const schedule = scheduleCheck(deps, settings.timezone, report)
  const jobs: Job[] = []
  for (const section of of('job')) {
    if (report.full) break
    checkName({ refuseName: name => refuseJobName(name, deps.kinds.names) }, section, report)
    const checked = checkSection(JOB, section, report)
    const trigger = schedule(checked)
    checkJobTogether(checked, trigger, rules, report)
    if (checked.complete === undefined || trigger === undefined) continue
    const timezone = checked.complete.timezone ?? settings.timezone
    const context = { trigger, timezone, root: places.root }
    jobs.push(buildJob(section.name, checked.complete, context))
  }

  const around: Surroundings = {
    ...places,
    sections,
    environment: env,
    settings,
    queues,
    queueNames: rules.queueNames,
    openFiles: deps.openFiles,
    legacyPaths: new Map(),
    report,
  }
  const values = deps.kinds.ofFeatures.map(kind => [kind.kind, kind.read(of(kind.kind), around)])

  const problems = report.problems()
  const notes = report.notes()
  if (problems.length > 0) return deepFreeze({ ok: false, problems, notes })
  const config = {
    file: absolute,
    files,
    settings,
    queues,
    jobs,
    sections: Object.fromEntries(values),
  }
  return deepFreeze({ ok: true, config, notes })
}

/** The built-in queues first, then those of the file in its order. */
function readQueues(sections: readonly Section[], report: Report): readonly QueueSpec[] {
  const named = new Set(sections.map(section => section.name))
  const queues = BUILT_IN_QUEUES.filter(name => !named.has(name)).map(name => buildQueue(name, {}))
  for (const section of sections) {
    if (report.full) break
    checkName({ refuseName: refuseQueueName }, section, report)
    const checked = checkSection(QUEUE, section, report)
    checkQueueTogether(checked, report)
    if (isQueueName(section.name)) queues.push(buildQueue(section.name, checked.values))
  }
  return queues
}

/** Judges when a job runs. Thousands of jobs share few schedules, so each is judged once. */
function scheduleCheck(deps: ConfigDeps, zone: string, report: Report) {
  const known = new Map<string, ReturnType<CheckSchedule>>()
  return ({ section, values }: Checked<typeof JOB.schema>): Trigger | undefined => {
    if (values.trigger === undefined || values.run_time === undefined) return undefined
    const place = placeOf(section, 'run_time')
    const read = readRunTime(values.trigger, values.run_time)
    if (!read.ok) {
      report.problem(place, read.reason, read.hint ?? '')
      return undefined
    }
    const timezone = values.timezone ?? zone
    const id = JSON.stringify([read.value, timezone])
    const verdict = known.get(id) ?? deps.checkSchedule(read.value, timezone)
    known.set(id, verdict)
    for (const note of verdict.notes) report.note(place, ...splitRemedy(note, ''))
    if (verdict.problem !== undefined)
      report.problem(place, ...splitRemedy(verdict.problem, CRON_HINT))
    return read.value
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const one of Object.values(value)) deepFreeze(one)
  return value
}
