import { describe, expect, it } from 'vitest'
import { runNemesis } from '../nemesis/nemesis.ts'
import { tell } from '../nemesis/report.ts'

/** A minute of faults, a start and a rest; on a machine that does other things besides. */
const TIMEOUT_MS = 400_000

// Two at a time would be six nodes on two cores.
describe.sequential('three nodes keep every promise through a minute of faults', () => {
  // Seed 13 sets the clock, seed 20 fails Redis over.
  it.each([1, 13, 20])('of seed %i', { timeout: TIMEOUT_MS }, async seed => {
    const lines: string[] = []
    const { violations, folder } = await runNemesis({
      seed,
      minutes: 1,
      print: line => void lines.push(line),
    })
    const found = tell(violations)
    const shown = found.length > 0 ? [...lines, ...found, `kept in ${folder}`].join('\n') : ''
    expect(shown).toBe('')
  })
})
