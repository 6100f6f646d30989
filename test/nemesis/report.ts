import { copyFileSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Violation } from './checker.ts'
import type { History } from './history.ts'
import { uptime } from './uptime.ts'
import type { World } from './world.ts'

/** What happened when: each line with the `uptime` that ledgers have, and the s since the begin. */
export class Timeline {
  readonly lines: string[] = []
  readonly #print: (line: string) => void
  readonly #begun = uptime()

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  say(text: string): void {
    const now = uptime()
    const line = `${now.toFixed(2)} ${`+${(now - this.#begun).toFixed(1)}`.padStart(7)} s  ${text}`
    this.lines.push(line)
    this.#print(line)
  }
}

/** Copies all that a look afterwards needs into a folder that stays. @returns its path */
export function keepArtefacts(
  world: World,
  { seed }: { readonly seed: number },
  history: History,
  timeline: Timeline,
): string {
  const folder = mkdtempSync(join(tmpdir(), `taskd-nemesis-${seed}-`))
  const keep = (from: string, name = basename(from)) => {
    if (existsSync(from)) copyFileSync(from, join(folder, name))
  }
  writeFileSync(join(folder, 'timeline.txt'), `${timeline.lines.join('\n')}\n`)
  writeFileSync(join(folder, 'history.json'), JSON.stringify(history, withMaps, 1))
  keep(join(world.dir, 'ledger'))
  for (const [place, { dir }] of world.redisServers.entries())
    keep(join(dir, 'redis-server.log'), `redis-server-${place + 1}.log`)
  keep(join(world.databaseServer.dir, 'mariadbd.log'))
  for (const { name, daemon } of world.nodes) {
    mkdirSync(join(folder, name))
    keep(join(daemon.dir, 'out.log'), join(name, 'out.log'))
    keep(daemon.config, join(name, 'cron.ini'))
  }
  return folder
}

const withMaps = (_key: string, value: unknown) =>
  value instanceof Map ? Object.fromEntries(value) : value

/** Violations for people: the rule, what is wrong, and what shows it. */
export function tell(violations: readonly Violation[]): string[] {
  return violations.flatMap(({ rule, what, evidence }) => [
    `VIOLATION ${rule}: ${what}`,
    ...evidence.map(line => `    ${line}`),
  ])
}
