import { z } from 'zod'
import { readDatabase } from './addresses.ts'
import { isColumn, readTable } from './columns.ts'
import { duration, field, filled, integer, no, type Read, timezone, yes } from './fields.ts'
import { orFromFile } from './from-file.ts'
import { jobSchema } from './schema-job.ts'

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

export const sourceSchema = z.object({
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
