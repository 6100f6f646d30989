import type { TailSource } from '../api/control.ts'
import { TaskdError } from '../lib/errors.ts'
import { unknownName } from '../lib/suggest.ts'

export interface TailNames {
  /** The names of what can be tailed. */
  readonly names: () => readonly string[]
  readonly jobs: () => readonly string[]
}

/** Asks the sources in turn. @throws TaskdError E_NO_NAME when none of them knows the name */
export async function tailOf(
  sources: readonly TailSource[],
  [name, options, signal]: Parameters<TailSource>,
  { names, jobs }: TailNames,
): Promise<AsyncIterable<Uint8Array>> {
  for (const source of sources) {
    const found = await source(name, options, signal)
    if (found) return found
  }
  if (jobs().includes(name))
    throw new TaskdError(
      'E_NO_NAME',
      `${name} is a job, and a job writes nothing itself`,
      `\`taskd runs ${name}\` lists its runs with their ids`,
    )
  throw unknownName(
    'E_NO_NAME',
    `no program, worker or run is named ${name}`,
    name,
    names(),
    '`taskd status` lists programs and workers, `taskd runs` the ids of runs',
  )
}
