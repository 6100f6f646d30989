import { diffByName } from '../../config/changes.ts'
import type { SectionKind } from '../../config/section-kind.ts'
import { count } from '../../lib/count.ts'
import { changedKeysOf } from './changed-keys.ts'
import { type Programs, readPrograms } from './read.ts'
import { GROUP, PROGRAM } from './schema.ts'

/** `[program:NAME]`; groups and what else supervisord has are read with it. */
export const programKind: SectionKind<Programs> = {
  ...PROGRAM,
  read: (_sections, around) => readPrograms(around),
  // Each process by itself, with the keys as they are called in supervisord's sections.
  diff: (old, next) => diffByName(old.processes, next.processes, changedKeysOf),
  contents({ programs, processes }) {
    // In two groups it is one program all the same.
    const named = new Set(programs.map(one => one.name)).size
    const parts = processes.length === named ? '' : ` (processes: ${processes.length})`
    return named > 0 ? `${count(named, 'program')}${parts}` : undefined
  },
  without: ({ programs }) => (programs.length > 0 ? 'works' : undefined),
}

/** `[group:NAME]`: what it says is part of its programs. */
export const groupKind: SectionKind<undefined> = {
  ...GROUP,
  read: () => undefined,
  diff: () => ({ added: [], removed: [], changed: [] }),
}
