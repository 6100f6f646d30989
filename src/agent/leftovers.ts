import type { Clock } from '../lib/clock.ts'
import { groupLives, processesWithVariable, signalGroup } from '../lib/proc.ts'
import { RUN_VARIABLE } from '../model/ipc.ts'
import { ownerLives, parseOwner } from '../model/owner.ts'

/** How long a KILLed group may take to be gone. */
const GONE_MS = 2000
const LOOK_MS = 20

/**
 * Ends what an agent of this data folder that was killed has left running: nobody would hear how
 * it ends, and its tasks are about to be given to others.
 * @returns how many groups there were
 */
export async function endLeftovers(instance: string, clock: Clock): Promise<number> {
  const groups = new Set(
    processesWithVariable(RUN_VARIABLE)
      .filter(({ value }) => {
        const owner = parseOwner(value)
        return owner?.instance === instance && !ownerLives(owner)
      })
      .map(({ group }) => group),
  )
  for (const group of groups) signalGroup(group, 'SIGKILL')
  const deadline = clock.monotonic() + GONE_MS
  while ([...groups].some(groupLives) && clock.monotonic() < deadline) await clock.sleep(LOOK_MS)
  return groups.size
}
