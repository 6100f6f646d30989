import type { Output } from '../output.ts'
import { pad, textWidth, wrap } from '../render.ts'
import type { Row } from './rows.ts'

const STATE_WIDTH = 11
const LEAST_DETAIL = 26
const GAP = 2

/**
 * `name  STATE  details`, lined up as supervisorctl does. Long lines wrap, indented, so that a line
 * which does not begin with a blank always begins with a name.
 */
export function statusLines(rows: readonly Row[], { width, colours }: Output): string[] {
  // A very long name gets lines of its own, so that it does not move all the others to the right.
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
