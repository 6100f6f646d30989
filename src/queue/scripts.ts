import { readdirSync, readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { shipped } from '../lib/shipped.ts'
import { PULL_KEYS } from './keys.ts'

type Arguments = (string | number)[]

/** The atomic moves of lua/, loaded once per client. */
export interface Scripts {
  takeBuffer(
    list: string,
    mine: string,
    oversized: string,
    count: number,
    maxBytes: number,
    idPrefix: string,
    maxTotal: number,
  ): Promise<Buffer[]>
  dropTaken(
    mine: string,
    list: string,
    count: number,
    first: Buffer,
    ...back: Buffer[]
  ): Promise<number>
  giveBack(...keysAndArguments: Arguments): Promise<number>
  holdOn(...keysAndArguments: Arguments): Promise<number>
  seizeLock(
    lock: string,
    signs: string,
    deadToken: string,
    token: string,
    ms: number,
    field: string,
  ): Promise<number>
  renewSign(signs: string, field: string, sign: string): Promise<string[]>
  markGone(signs: string, field: string, sign: string, goneSign: string): Promise<number>
  claimName(name: string, holder: string, ms: number): Promise<number>
  advanceCursor(
    state: string,
    tick: number,
    taskId: string,
    era: number,
    pass: number,
  ): Promise<number>
  beginPass(
    state: string,
    from: number,
    seenPass: number,
    era: number,
    spec: string,
    to: number,
    anchor: number | '',
  ): Promise<number>
  expireFail(row: string, attempt: number, ms: number): Promise<number>
  pullPush(...keysAndArguments: Arguments): Promise<[string, number, string]>
  pullClaim(...keysAndArguments: Arguments): Promise<[number, number, ...string[]]>
  pullFinish(...keysAndArguments: Arguments): Promise<string>
  pullEnd(...keysAndArguments: Arguments): Promise<string>
  pullCounts(...keys: string[]): Promise<number[]>
  sourceSettle(claims: string, verdicts: string, ...fields: string[]): Promise<number>
}

const KEY_COUNTS = {
  take: 3,
  dropTaken: 2,
  giveBack: 7,
  holdOn: 6,
  seizeLock: 2,
  renewSign: 1,
  markGone: 1,
  claimName: 1,
  advanceCursor: 1,
  beginPass: 1,
  expireFail: 1,
  pullPush: PULL_KEYS,
  pullClaim: PULL_KEYS + 1,
  pullFinish: PULL_KEYS,
  pullEnd: PULL_KEYS,
  pullCounts: PULL_KEYS,
  sourceSettle: 2,
}

/** A command with its key, as a script calls it. */
export type Write = readonly [command: string, key: string, ...rest: (string | number)[]]

/**
 * Carries out writes together, even when Redis has no memory to spare: for the records of a task's
 * end. Without them tasks could not be settled, and a full Redis could not drain. In a cluster
 * their keys must be in one slot.
 */
export async function writeAnyway(redis: Redis, writes: readonly Write[]): Promise<void> {
  const client = redis as Redis & { writeAnyway?: (...words: Arguments) => Promise<unknown> }
  if (client.writeAnyway === undefined)
    client.defineCommand('writeAnyway', { lua: scriptText('writeAnyway') })
  const keys = [...new Set(writes.map(([, key]) => key))]
  const words = writes.flatMap(write => [write.length, ...write])
  await client.writeAnyway?.(keys.length, ...keys, ...words)
}

export function withScripts<C extends Redis>(client: C): C & Scripts {
  for (const [name, numberOfKeys] of Object.entries(KEY_COUNTS)) {
    client.defineCommand(name, { numberOfKeys, lua: scriptText(name) })
  }
  return client as C & Scripts
}

/** All scripts of lua/, read at the start: later no file descriptor may be left for one. */
const TEXTS: ReadonlyMap<string, string> = new Map(
  readdirSync(shipped('queue/lua')).map(file => [
    file.replace(/\.lua$/, ''),
    readFileSync(shipped(`queue/lua/${file}`), 'utf8'),
  ]),
)

/** A script of lua/ as text, by its name in camel case. @throws Error when there is none */
export function scriptText(name: string): string {
  const text = TEXTS.get(name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`))
  if (text === undefined) throw new Error(`there is no script ${name}`)
  return text
}
