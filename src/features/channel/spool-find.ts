import { readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Position } from './spool-position.ts'
import { countLines } from './spool-records.ts'

/** One file of a spool. */
export interface Segment {
  readonly number: number
  /** Where its last whole record ends. */
  size: number
}

export interface Found {
  readonly segments: Segment[]
  readonly offset: number
  readonly batches: number
  readonly next: number
}

const SEGMENT = /^(\d{12})\.seg$/

/** Names sort as numbers do. */
export function nameOf(number: number): string {
  return `${String(number).padStart(12, '0')}.seg`
}

/** What is there, from the position on. A segment with nothing left to read goes. */
export async function findSegments(dir: string, first: Position | undefined): Promise<Found> {
  const names = (await readdir(dir)).filter(name => SEGMENT.test(name)).toSorted()
  const numbers = names.map(name => Number(name.slice(0, 12)))
  const segments: Segment[] = []
  let offset = 0
  let batches = 0
  for (const number of numbers) {
    const path = join(dir, nameOf(number))
    const isFirst = segments.length === 0 && number === first?.segment
    const from = isFirst && first.offset <= (await stat(path)).size ? first.offset : 0
    const { count, end } = await countLines(path, from)
    if (count === 0) {
      await unlink(path)
      continue
    }
    if (segments.length === 0) offset = from
    segments.push({ number, size: end })
    batches += count
  }
  // A number is not used again while a position speaks of it.
  const next = Math.max(first?.segment ?? 0, ...numbers) + 1
  return { segments, offset, batches, next }
}
