import type { Output } from '../output.ts'
import { pad, textWidth, wrap } from '../render.ts'
import type { Row } from './rows.ts'

const STATE_WIDTH = 11
const LEAST_DETAIL = 26
const GAP = 2

/**
 * `name  STATE  what there is to say`, lined up as supervisorctl does. What does not fit goes on
 * below, indented, so that the first word of a line that is not blank is always a name.
 */
export function statusLines(rows: readonly Row[], { width, colours }: Output): string[] {
  // One very long name must not push all the others to the right: it gets lines of its own.
  const most = width - STATE_WIDTH - LEAST_DETAIL - GAP
  const widths = rows.map(row => textWidth(row.name)).filter(one => one <= most)
  const nameWidth = Math.max(0, ...widths)
  const indent = nameWidth + GAP + STATE_WIDTH
  const paint = {
    good: colours.green,
    bad: colours.red,
    between: colours.yellow,
    idle: colours.dim,
  }
  return rows.flatMap(({ name, state, tone, detail }) => {
    const head = `${pad(name, nameWidth)}${' '.repeat(GAP)}${paint[tone](state)}`
    if (detail === '') return [head]
    const lines = wrap(detail, width - indent)
    const below = lines.map(line => `${' '.repeat(indent)}${line}`)
    if (textWidth(name) > most) return [head, ...below]
    const gap = ' '.repeat(Math.max(1, STATE_WIDTH - state.length))
    return [`${head}${gap}${lines[0] ?? ''}`, ...below.slice(1)]
  })
}
