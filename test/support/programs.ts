import { join } from 'node:path'
import type { ProgramStatus, StateName } from '../../src/api/status.ts'
import { linesOf, type TestDaemon } from './daemon.ts'
import { waitFor } from './wait.ts'

type Keys = Readonly<Record<string, string | number | boolean>>

/** A `[program:NAME]` that keeps no log, unless `keys` say otherwise. */
export function programSection(name: string, keys: Keys): string {
  const all: Keys = { stdout_logfile: 'NONE', stderr_logfile: 'NONE', ...keys }
  const lines = Object.entries(all).map(([key, value]) => `${key} = ${value}\n`)
  return `[program:${name}]\n${lines.join('')}`
}

/** So many processes of one name, as most people configure them. */
export function manySection(name: string, numprocs: number, keys: Keys): string {
  return programSection(name, {
    process_name: '%(program_name)s_%(process_num)02d',
    numprocs,
    ...keys,
  })
}

/** What status says of one process of a program. */
export async function programOf(daemon: TestDaemon, name: string): Promise<ProgramStatus> {
  const { programs } = await daemon.status()
  const found = programs.find(one => one.name === name)
  if (!found) throw new Error(`no program ${name} among ${programs.map(one => one.name).join(' ')}`)
  return found
}

/** Resolves when it is in one of these states. */
export function inState(
  daemon: TestDaemon,
  name: string,
  states: StateName | readonly StateName[],
  timeoutMs = 20_000,
): Promise<ProgramStatus> {
  const wanted = [states].flat()
  let last = ''
  return waitFor(
    async () => {
      const found = await programOf(daemon, name)
      last = `${found.state} ${found.detail}`
      if (!wanted.includes(found.state)) throw new Error(`it is ${last}`)
      return found
    },
    { timeoutMs, what: `${name} is ${wanted.join(' or ')}` },
  )
}

/** Pids of the processes that run, by name; without the embedded Redis. */
export async function pidsOf(daemon: TestDaemon): Promise<Record<string, number>> {
  const { programs } = await daemon.status()
  return byName(programs.filter(one => one.pid > 0 && one.group !== ''))
}

function byName(programs: readonly { name: string; pid: number }[]): Record<string, number> {
  return Object.fromEntries(programs.map(one => [one.name, one.pid]))
}

/** Resolves with their pids when exactly these run. */
export function running(
  daemon: TestDaemon,
  names: readonly string[],
  timeoutMs = 20_000,
): Promise<Record<string, number>> {
  const wanted = names.toSorted().join(' ')
  return waitFor(
    async () => {
      const { programs } = await daemon.status()
      const live = programs.filter(one => one.state === 'RUNNING' && one.group !== '')
      const found = live.map(one => one.name).toSorted()
      if (found.join(' ') !== wanted) throw new Error(`these run: ${found.join(' ')}`)
      return byName(live)
    },
    { timeoutMs, what: `these run: ${wanted}` },
  )
}

/**
 * A program of which there must never be two: it holds a lock while it lives, and says in `life`
 * when it starts and ends at TERM, or that another one had the lock.
 */
const ONLY = `#!/bin/sh
dir=\${0%/*}
exec 9>>"$dir/$1.lock"
if ! flock -n 9; then
  echo "twin $1 $$" >> "$dir/life"
  exec sleep 100
fi
case $2 in
  deaf) trap '' TERM ;;
  *) trap 'echo "end $1 $$" >> "$dir/life"; exit 0' TERM ;;
esac
echo "start $1 $$" >> "$dir/life"
while :; do sleep 0.05 9>&-; done
`

export interface Life {
  readonly what: string
  readonly name: string
  readonly pid: number
}

/** Programs of which a second copy would be noticed, however short its life. */
export function onlyOnes(daemon: TestDaemon) {
  const script = daemon.script('only.sh', ONLY)
  return {
    command: (name: string, how: 'hears' | 'deaf' = 'hears') => `${script} ${name} ${how}`,
    /** What they did: `start`, `end`, or `twin` when there were two. */
    life: (): Life[] =>
      linesOf(join(daemon.dir, 'life')).map(line => {
        const [what = '', name = '', pid] = line.split(' ')
        return { what, name, pid: Number(pid) }
      }),
  }
}
