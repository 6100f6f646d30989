import { type Backfilled, MAX_BACKFILL, USUAL_BACKFILL } from '../../api/schedule-port.ts'
import { count } from '../../lib/count.ts'
import { newTaskId } from '../../model/task.ts'
import { type Command, text } from '../context.ts'
import { EXIT } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'
import { clean, table } from '../render.ts'

export const run: Command = async ({ out, daemon }, [job = ''], options) => {
  const limit = wholeNumber(
    text(options, 'limit') ?? `${USUAL_BACKFILL}`,
    '--limit',
    1,
    MAX_BACKFILL,
  )
  const again = options['again'] === true ? newTaskId().slice(0, 8) : (text(options, 'again') ?? '')
  const done = await (await daemon()).backfill(
    {
      job,
      from: text(options, 'from') ?? '',
      to: text(options, 'to') ?? '',
      dry_run: options['dryRun'] === true,
      limit,
      again,
    },
    new AbortController().signal,
  )
  if (options['json']) out.json(done)
  else for (const line of linesOf(done)) out.line(line)
  return EXIT.ok
}

function linesOf(done: Backfilled): string[] {
  const { job, task_key, dry_run, again, known, made } = done
  const ticks = done.ticks.map(({ at, known, note }) => [
    at,
    (known ? ['known', note] : [note]).filter(Boolean).join(': '),
  ])
  const fresh = done.count - known
  const tasks = dry_run ? `would make ${count(fresh, 'task')}` : `${count(made, 'task')} made`
  const name = again === '' || fresh === 0 ? '' : `, whose ids end in -again-${again}`
  const skipped = known === 0 ? '' : `; ${count(known, 'tick')} known already, not run again`
  return [
    ...table(ticks),
    `${clean(job)}: ${count(done.count, 'tick')} from ${done.from} to ${done.to}`,
    `${tasks} on ${clean(task_key)}${name}${skipped}`,
  ]
}
