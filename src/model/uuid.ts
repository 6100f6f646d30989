import { randomFillSync } from 'node:crypto'

const ID_TIME_BITS = 48

/** Asking the kernel for 16 bytes costs as much as for 4,096. */
const pool = Buffer.alloc(4096)
let used = pool.length

function randomSixteen(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += 16
  // A copy, because the pool is filled again.
  return Buffer.from(pool.subarray(used - 16, used))
}

/** A UUID of version 7 (RFC 9562): it begins with its time, so it says how old it is. */
export function newUuid(now: number): string {
  const bytes = randomSixteen()
  bytes.writeUIntBE(Math.max(0, Math.trunc(now)) % 2 ** ID_TIME_BITS, 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

/** When a UUID of version 7 was made, ms; undefined for any other text. */
export function timeOfUuid(text: string): number | undefined {
  const [, high = '', low = ''] = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-/i.exec(text) ?? []
  return high === '' ? undefined : Number.parseInt(high + low, 16)
}
