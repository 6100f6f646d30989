import type { ProcessSpec } from '../../model/program-spec.ts'

/** One `[program:x]` section, checked. */
export interface ProgramSpec {
  readonly name: string
  readonly group: string
  readonly numprocs: number
  /** Whether its processes have names of their own, so that there may be more than one. */
  readonly scalable: boolean
}

export function processesOf(
  _program: ProgramSpec,
  _numprocs = _program.numprocs,
): readonly ProcessSpec[] {
  return []
}
