import type { FailOutbox, OutboxEntry } from '../../src/failures/archiver.ts'
import { type Clock, realClock } from '../../src/lib/clock.ts'
import type { FailRow } from '../../src/model/fail-row.ts'

export interface MemoryOutbox extends FailOutbox {
  put(...rows: FailRow[]): void
  /** When set, every call fails with it. */
  broken: Error | undefined
  readonly ids: string[]
}

/** An outbox that forgets everything with its process. */
export function memoryOutbox(clock: Clock = realClock): MemoryOutbox {
  let entries: OutboxEntry[] = []
  let last = 0
  let unread = false
  const waiting = new Set<() => void>()
  const check = () => {
    if (outbox.broken) throw outbox.broken
  }
  const outbox: MemoryOutbox = {
    broken: undefined,
    get ids() {
      return entries.map(entry => entry.id)
    },
    put(...rows) {
      for (const row of rows) {
        last += 1
        entries.push({ id: String(last), row })
      }
      unread = true
      for (const wake of waiting) wake()
      waiting.clear()
    },
    async read(count) {
      check()
      unread = false
      return entries.slice(0, count)
    },
    async remove(ids) {
      check()
      const gone = new Set(ids)
      entries = entries.filter(entry => !gone.has(entry.id))
    },
    async backlog() {
      check()
      return entries.length
    },
    async waitForMore(timeoutMs, signal) {
      check()
      if (unread) return
      const more = new Promise<void>(resolve => waiting.add(resolve))
      await Promise.race([more, clock.sleep(timeoutMs, signal)])
    },
  }
  return outbox
}
