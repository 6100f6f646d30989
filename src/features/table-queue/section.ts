import { resolve } from 'node:path'
import { z } from 'zod'
import { readDatabase } from '../../config/addresses.ts'
import { diffByName } from '../../config/changes.ts'
import { isColumn, readTable } from '../../config/columns.ts'
import type { Report } from '../../config/diagnostics.ts'
import {
  duration,
  field,
  filled,
  integer,
  no,
  type Read,
  timezone,
  yes,
} from '../../config/fields.ts'
import { orFromFile } from '../../config/from-file.ts'
import { buildTask } from '../../config/jobs.ts'
import { type Checked, placeOf } from '../../config/schema.ts'
import { jobSchema } from '../../config/schema-job.ts'
import { refuseFolderName } from '../../config/section.ts'
import { readEach, type SectionKind, type Surroundings } from '../../config/section-kind.ts'
import { checkRetries } from '../../config/validate.ts'
import { didYouMean, quoted } from '../../lib/suggest.ts'
import type { SourceSpec } from '../../model/source.ts'

const readColumn: Read<string> = text =>
  isColumn(text) ? yes(text) : no('is no name for a column', 'use letters, digits and _')

const column = (example: string) => field(readColumn, example)

/** What the column of the status says; numbers and words alike. */
const readState: Read<string> = text =>
  text.length <= 64 ? yes(text) : no('is longer than 64 characters', 'write for instance 0')

const state = (usual: string) => field(readState, usual).default(usual)

const {
  task_key,
  controller,
  function: called,
  param,
  max_run_time,
  retries,
  retry_intervals,
  interpreter,
  directory,
  user,
  environment,
  priority,
} = jobSchema.shape

const schema = z.object({
  database: field(orFromFile(readDatabase), 'mysql://user:password@host/shop').optional(),
  table: field(readTable, 'sms'),
  task_key,
  poll: duration('1s', 100).default(1000),
  batch: integer(1, 5000, 500).default(500),
  id_column: column('id').default('id'),
  status_column: column('status').default('status'),
  ready: state('0'),
  taken: state('1'),
  done: state('2'),
  failed: state('3'),
  script: filled('/srv/sms/send_msg.php').optional(),
  script_column: column('script').optional(),
  controller,
  controller_column: column('controller').optional(),
  function: called,
  function_column: column('function').optional(),
  param,
  param_column: column('param').optional(),
  start_time_column: column('start_time').optional(),
  priority,
  priority_column: column('priority').optional(),
  result_column: column('result').optional(),
  timezone: timezone.optional(),
  max_run_time,
  retries,
  retry_intervals,
  interpreter,
  directory,
  user,
  environment,
})

/** `[source:NAME]` */
export const sourceKind: SectionKind<readonly SourceSpec[], typeof schema> = {
  kind: 'source',
  home: '[source:NAME]',
  schema,
  examples: { table: 'orders', task_key: 'sync_tasks' },
  commonKeys: true,
  refuseName: name => refuseFolderName(name, 'a source', '[source:orders]'),
  read: (sections, around) =>
    readEach(sourceKind, sections, around.report, checked => {
      checkQueue(checked, around)
      checkParts(checked, around.report)
      checkStates(checked, around.report)
      checkRetries(checked, around.report)
      return checked.complete && specOf(checked.section.name, checked.complete, around)
    }),
  diff: (old, next) => diffByName(old.map(flat), next.map(flat)),
  without: specs => (specs.length > 0 ? 'waits' : undefined),
  tasks: specs => specs.map(one => one.task),
}

/** The keys of its task beside its own, as in the file. */
function flat({ name, task, ...rest }: SourceSpec) {
  return { name, ...rest, ...task }
}

function specOf(name: string, values: z.output<typeof schema>, around: Surroundings): SourceSpec {
  const { settings, folder, root } = around
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

/** A missing path must not become the folder that it would be relative to. */
const NO_SCRIPT = { script: '' }

function checkQueue({ section, values }: Checked<typeof schema>, around: Surroundings) {
  const { report } = around
  const name = values.task_key
  if (name === undefined) return
  const queue = around.queues.find(one => one.taskKey === name)
  if (queue === undefined && !around.queueNames.includes(name)) {
    const otherwise = `add a section [queue:${name.slice(0, 64)}]`
    const hint = didYouMean(name, around.queueNames, otherwise, quoted)
    report.problem(placeOf(section, 'task_key'), 'there is no such queue', hint)
  }
  if (queue?.mode !== 'pull') return
  const hint = 'name a queue whose tasks run here: nobody would write back what agents report'
  report.problem(placeOf(section, 'task_key'), `${name} is a pull queue`, hint)
}

const PARTS = ['controller', 'function', 'param', 'priority'] as const

function checkParts({ section }: Checked<typeof schema>, report: Report): void {
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

/** The other states may be the same, where a table does not distinguish them. */
function checkStates({ section, values }: Checked<typeof schema>, report: Report): void {
  const { ready } = values
  for (const name of ['taken', 'done', 'failed'] as const) {
    const value = values[name]
    if (value === undefined || ready === undefined || value !== ready) continue
    const hint = `give ready and ${name} a value of their own`
    report.problem(placeOf(section, name), `is what ready is: rows would run for ever`, hint)
  }
}
