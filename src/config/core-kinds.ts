import { z } from 'zod'
import { filled } from './fields.ts'
import type { KeyRules } from './schema.ts'
import { jobSchema } from './schema-job.ts'
import { queueSchema } from './schema-queue.ts'
import { taskdSchema } from './schema-taskd.ts'

/** The sections that every configuration may have, whatever features there are. */

export const JOB = {
  kind: 'job',
  home: 'a job',
  schema: jobSchema,
  examples: {
    task_key: 'sync_tasks',
    run_time: '*/5 * * * *',
    script: '/var/www/points/index.php',
  },
} as const satisfies KeyRules

/** The daemon takes them over only when it starts. */
const FIXED = new Set([
  'node',
  'redis',
  'database',
  'data_dir',
  'socket',
  'http',
  'http_cert',
  'http_key',
  'log_file',
  'log_format',
  'redis_server',
  'result_keep_time',
  'result_keep_count',
])

export const TASKD = {
  kind: 'taskd',
  home: '[taskd]',
  schema: taskdSchema,
  waits: key => FIXED.has(key),
} as const satisfies KeyRules

/** A live worker can take these over, or does not need them. */
const LIVE = new Set(['workers', 'concurrency', 'capacity', 'lease', 'retries', 'finish_keep'])

export const QUEUE = {
  kind: 'queue',
  home: '[queue:NAME]',
  schema: queueSchema,
  waits: key => !LIVE.has(key),
} as const satisfies KeyRules

export const INCLUDE = {
  kind: 'include',
  home: '[include]',
  schema: z.object({ files: filled('conf.d/*.ini') }),
  examples: { files: 'conf.d/*.ini' },
} as const satisfies KeyRules

export const CORE: readonly KeyRules[] = [JOB, TASKD, QUEUE, INCLUDE]
