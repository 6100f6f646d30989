import { basename } from 'node:path'
import type { StoredFail } from '../../api/control.ts'
import { realClock } from '../../lib/clock.ts'
import { count } from '../../lib/count.ts'
import { tellingLine } from '../../lib/telling-line.ts'
import { type Command, text } from '../context.ts'
import { EXIT } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'
import type { Output } from '../output.ts'
import { clean, cut, table, textWidth } from '../render.ts'
import { shortTime } from '../times.ts'

export const run: Command = async ({ out, daemon }, _args, options) => {
  const limit = wholeNumber(text(options, 'limit') ?? '20', '--limit', 1, 10_000)
  const job = text(options, 'job')
  const queue = text(options, 'queue')
  const asked = await daemon()
  const rows = await asked.fails({
    limit,
    ...(job !== undefined && { job }),
    ...(queue !== undefined && { task_key: queue }),
  })
  if (options['json']) out.json(rows)
  else if (rows.length === 0) out.line('no failed runs')
  else for (const line of failLines(rows, out, realClock.now())) out.line(line)
  const missing = notInSql((await asked.status()).database.backlog)
  if (missing !== '') out.note(missing)
  return EXIT.ok
}

/** How many failures are missing from the rows, because the database does not have them yet. */
function notInSql(waiting: number | null): string {
  if (waiting === null)
    return 'failed runs may wait in Redis for the database: it does not answer, and they are not among these'
  if (waiting === 0) return ''
  return `${count(waiting, 'failed run waits', 'failed runs wait')} in Redis for the database, and ${waiting === 1 ? 'is' : 'are'} not among these`
}

/** Two lines for each: what, when, why and its id; then what it said. */
export function failLines(
  rows: readonly StoredFail[],
  { width, colours }: Output,
  nowMs: number,
): string[] {
  const cells = rows.map(row => [
    shortTime(row.end_runtime, nowMs),
    // A task of a pull queue need not name a script.
    clean(row.job || basename(row.script) || row.task_key),
    // The answer's own code tells more than `answer`.
    clean(row.kind === 'answer' && row.code !== 'fail' ? row.code : row.kind),
    clean(row.unique_task_id),
  ])
  const whole = table([['WHEN', 'JOB', 'KIND', 'ID'], ...cells])
  const fits = whole.every(line => textWidth(line) <= width)
  const narrow = table([['WHEN', 'JOB', 'KIND'], ...cells.map(row => row.slice(0, 3))])
  const [header = '', ...heads] = fits ? whole : narrow
  const lines = [colours.dim(fits ? header : `${header}  (then ID and message)`)]
  for (const [index, row] of rows.entries()) {
    lines.push(heads[index] ?? '')
    if (!fits) lines.push(`  ${cells[index]?.[3] ?? ''}`)
    const attempt = row.attempt > 1 ? `attempt ${row.attempt}: ` : ''
    const message = clean(tellingLine(row.msg)) || '(no message)'
    lines.push(colours.dim(cut(`  ${attempt}${message}`, width)))
  }
  return lines
}
