import type { Config } from '../../config/config.ts'
import { judgeRunTime } from '../../config/run-time.ts'
import type { Parsed } from '../../lib/parsed.ts'
import type { Trigger } from '../../model/job.ts'
import type { SqlJobRules } from '../../model/sql-job.ts'
import { checkTrigger } from '../../schedule/check.ts'

/** Judgements that are kept: thousands of rows share few schedules. */
const KEPT = 20_000

/** By what rows are read, as the configuration now is. */
export function sqlJobRules(): (config: Config) => SqlJobRules {
  const known = new Map<string, Parsed<Trigger>>()
  const readTrigger: SqlJobRules['readTrigger'] = (word, spec, timezone) => {
    const id = JSON.stringify([word, spec, timezone])
    const found = known.get(id)
    if (found) return found
    const read = judgeRunTime(word, spec, timezone, checkTrigger)
    if (known.size >= KEPT) known.clear()
    known.set(id, read)
    return read
  }
  return ({ settings: { timezone, tasks } }) => ({ timezone, tasks, readTrigger })
}
