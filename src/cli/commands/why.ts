import { realClock } from '../../lib/clock.ts'
import type { Command } from '../context.ts'
import { EXIT, orUnknown } from '../exit.ts'
import { clean, table, wrap } from '../render.ts'
import { shortTime } from '../times.ts'

export const run: Command = orUnknown(async ({ out, daemon }, [name = ''], options) => {
  const why = await (await daemon()).why(name)
  if (options['json']) {
    out.json(why)
    return EXIT.ok
  }
  const now = realClock.now()
  const since = why.since === '' ? '' : ` since ${shortTime(why.since, now)}`
  out.line(clean(`${why.kind} ${why.name} is ${why.state}${since}`))
  // What is to be copied stays on one line.
  for (const reason of why.reasons)
    if (reason.startsWith('redis-cli ')) out.line(`    ${clean(reason)}`)
    else
      for (const [index, line] of wrap(clean(reason), out.width - 4).entries())
        out.line(index === 0 ? `  - ${line}` : `    ${line}`)
  if (why.history.length === 0) return EXIT.ok
  const rows = why.history.map(({ at, from, to, detail }) => [
    shortTime(at, now),
    `${from} → ${to}`,
    clean(detail),
  ])
  for (const line of table(rows)) out.line(out.colours.dim(`  ${line}`))
  return EXIT.ok
})
