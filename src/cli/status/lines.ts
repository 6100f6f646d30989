import type { Output } from '../output.ts'
import { pad, textWidth, wrap } from '../render.ts'
import type { Row } from './rows.ts'

const STATE_WIDTH = 10
const LEAST_DETAIL = 24

/**
 * `name  STATE  what there is to say`, lined up as supervisorctl does. What does not fit goes on
 * below, indented, so that the first word of a line that is not blank is always a name.
 */
export function statusLines(rows: readonly Row[], { width, colours }: Output): string[] {
  const longest = Math.max(0, ...rows.map(row => textWidth(row.name)))
  const nameWidth = longest + 2
  const indent = nameWidth + STATE_WIDTH
  const room = width - indent
  const paint = {
    good: colours.green,
    bad: colours.red,
    between: colours.yellow,
    idle: colours.dim,
  }
  return rows.flatMap(({ name, state, tone, detail }) => {
    const head = `${pad(name, nameWidth)}${paint[tone](state)}`
    const gap = ' '.repeat(Math.max(1, STATE_WIDTH - state.length))
    if (detail === '') return [head]
    // With very long names the detail gets lines of its own.
    if (room < LEAST_DETAIL) return [head, ...wrap(detail, width - 4).map(line => `    ${line}`)]
    const [first = '', ...rest] = wrap(detail, room)
    return [`${head}${gap}${first}`, ...rest.map(line => `${' '.repeat(indent)}${line}`)]
  })
}
