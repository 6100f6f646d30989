import { resolve } from 'node:path'
import { suggest } from '../lib/suggest.ts'
import type { QueueSpec } from '../model/queue-spec.ts'
import type { SourceSpec } from '../model/source.ts'
import type { Places } from './channels.ts'
import type { Report } from './diagnostics.ts'
import { buildTask } from './jobs.ts'
import { type Checked, checkSection, placeOf } from './schema.ts'
import { checkName, type Section } from './section.ts'
import { checkRetries } from './validate.ts'

/** What table queues are checked against. */
export interface SourceRules extends Places {
  /** What relative paths of scripts start from. */
  readonly root: string
  readonly queues: readonly QueueSpec[]
  /** Declared, though perhaps with mistakes. */
  readonly queueNames: readonly string[]
}

/** `[source:NAME]` */
export function readTableSources(
  sections: readonly Section[],
  rules: SourceRules,
  report: Report,
): readonly SourceSpec[] {
  const found: SourceSpec[] = []
  for (const section of sections) {
    if (report.full) break
    checkName(section, report)
    const checked = checkSection('source', section, report)
    checkQueue(checked, rules, report)
    checkParts(checked, report)
    checkStates(checked, report)
    checkRetries(checked, report)
    if (checked.complete !== undefined) found.push(sourceOf(section.name, checked.complete, rules))
  }
  return found
}

type Complete = NonNullable<Checked<'source'>['complete']>

function sourceOf(name: string, values: Complete, rules: SourceRules): SourceSpec {
  const { settings, folder, root } = rules
  const { database = settings.database, script } = values
  const { script_column, controller_column, function_column, param_column } = values
  const { start_time_column, priority_column, result_column } = values
  return {
    name,
    database: database.startsWith('sqlite:')
      ? `sqlite:${resolve(folder, database.slice('sqlite:'.length))}`
      : database,
    table: values.table,
    idColumn: values.id_column,
    statusColumn: values.status_column,
    ...(script_column !== undefined && { scriptColumn: script_column }),
    ...(controller_column !== undefined && { controllerColumn: controller_column }),
    ...(function_column !== undefined && { functionColumn: function_column }),
    ...(param_column !== undefined && { paramColumn: param_column }),
    ...(start_time_column !== undefined && { startTimeColumn: start_time_column }),
    ...(priority_column !== undefined && { priorityColumn: priority_column }),
    ...(result_column !== undefined && { resultColumn: result_column }),
    ready: values.ready,
    taken: values.taken,
    done: values.done,
    failed: values.failed,
    task: { ...buildTask({ ...values, script: script ?? '' }, root), ...(!script && NO_SCRIPT) },
    pollMs: values.poll,
    batch: values.batch,
    timezone: values.timezone ?? settings.timezone,
  }
}

/** A path that is not there must not become the folder it would start from. */
const NO_SCRIPT = { script: '' }

function checkQueue({ section, values }: Checked<'source'>, rules: SourceRules, report: Report) {
  const name = values.task_key
  if (name === undefined) return
  const queue = rules.queues.find(one => one.taskKey === name)
  if (queue === undefined && !rules.queueNames.includes(name)) {
    const near = suggest(name, rules.queueNames)
    const hint =
      near === undefined ? `add a section [queue:${name.slice(0, 64)}]` : `did you mean "${near}"?`
    report.problem(placeOf(section, 'task_key'), 'there is no such queue', hint)
  }
  if (queue?.mode !== 'pull') return
  const hint = 'name a queue whose tasks run here: nobody would write back what agents report'
  report.problem(placeOf(section, 'task_key'), `${name} is a pull queue`, hint)
}

const PARTS = ['controller', 'function', 'param', 'priority'] as const

function checkParts({ section }: Checked<'source'>, report: Report): void {
  const has = (name: string) => section.entries.has(name)
  for (const part of ['script', ...PARTS]) {
    if (!has(part) || !has(`${part}_column`)) continue
    const place = placeOf(section, `${part}_column`)
    report.problem(place, `cannot stand beside ${part}`, 'keep one of them')
  }
  if (has('script') || has('script_column')) return
  const hint = 'add script = with a path, or script_column = with the column that names it'
  report.problem(section.place, 'says nowhere what to run', hint)
}

/** The others may be alike where a table knows no difference. */
function checkStates({ section, values }: Checked<'source'>, report: Report): void {
  const { ready } = values
  for (const name of ['taken', 'done', 'failed'] as const) {
    const value = values[name]
    if (value === undefined || ready === undefined || value !== ready) continue
    const hint = `give ready and ${name} a value of their own`
    report.problem(placeOf(section, name), `is what ready is: rows would run for ever`, hint)
  }
}
