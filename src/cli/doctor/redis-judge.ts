import type { Status } from '../../api/status.ts'
import { isFull, memoryIn, memoryText, type RedisMemory } from '../../model/redis-memory.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

/** Streams, LMOVE and the queue's scripts need it. */
const LEAST_MAJOR = 6
const LEAST_MINOR = 2

export const POLICY = ['CONFIG', 'GET', 'maxmemory-policy'] as const

export const versionIn = (text: string) => /^redis_version:([\d.]+)/m.exec(text)?.[1] ?? ''

export const policyIn = (text: string) =>
  /maxmemory-policy\r?\n\$\d+\r?\n([\w-]+)/.exec(text)?.[1] ?? ''

export function judgeVersion(name: string, version: string, where: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > LEAST_MAJOR || (major === LEAST_MAJOR && minor >= LEAST_MINOR))
    return ok(name, `${version}${where}`)
  const least = `${LEAST_MAJOR}.${LEAST_MINOR}`
  return fail(name, `${version || 'an unknown version'}${where}`, `taskd needs ${least} or newer`)
}

/** Any other policy throws away waiting tasks when memory is short. */
export function judgePolicy(policy: string, where: string): Finding {
  const name = 'maxmemory-policy'
  if (policy === 'noeviction') return ok(name, `${policy}${where}`)
  if (policy === '')
    return warn(name, `the server does not tell it${where}`, 'make sure that it is noeviction')
  const remedy = 'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf'
  const message = `is ${policy}${where}: tasks can be thrown away when memory is short`
  return fail(name, message, remedy)
}

/** Nothing to say of a server that has no limit. */
export function judgeMemory(info: string, where: string, status?: Status): Finding[] {
  const memory = memoryIn(info)
  return memory === undefined ? [] : [judgeRoom(memory, where, status?.redis.full)]
}

const TIGHT = 0.9

/** @param full what the daemon says: for it, full it is until there is some room */
export function judgeRoom(memory: RedisMemory, where: string, full = isFull(memory)): Finding {
  const name = 'maxmemory'
  const text = `${memoryText(memory)}${where}`
  const remedy =
    'CONFIG SET maxmemory to more, and the same in redis.conf; taskd why redis says what goes on'
  if (full) return fail(name, `FULL: ${text}; it refuses what needs memory`, remedy)
  return memory.used > TIGHT * memory.max
    ? warn(name, `nearly full: ${text}`, remedy)
    : ok(name, text)
}
