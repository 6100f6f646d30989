/** How much of its `maxmemory` a Redis uses, bytes. */
export interface RedisMemory {
  readonly used: number
  readonly max: number
}

/**
 * From what `INFO memory` says; undefined for a server without a limit, and for one that makes
 * room for every write by throwing something away.
 */
export function memoryIn(info: string): RedisMemory | undefined {
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  const max = number('maxmemory')
  if (max === 0 || /^maxmemory_policy:allkeys/m.test(info)) return undefined
  // Buffers for replicas and for the append-only file do not count.
  return { used: number('used_memory') - number('mem_not_counted_for_evict'), max }
}

/** It refuses every command that may add. */
export const isFull = ({ used, max }: RedisMemory) => used >= max

/** `20.1 MiB of 20 MiB used (maxmemory)`. */
export function memoryText({ used, max }: RedisMemory): string {
  return `${mebibytes(used)} of ${mebibytes(max)} used (maxmemory)`
}

function mebibytes(bytes: number): string {
  return `${Math.round((bytes / (1 << 20)) * 10) / 10} MiB`
}
