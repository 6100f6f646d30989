import { createWriteStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Backups } from './backups.ts'
import { reasonOf } from './trouble.ts'

interface Order {
  readonly backups: Backups
  /** Told of the end of each attempt: why it failed, or undefined. */
  readonly told: (trouble: string | undefined) => void
}

/**
 * Compresses rotated files, one at a time for the whole daemon: it is not urgent, and what runs needs
 * the processor more. A file is whole at each moment, as it was or as .gz, whatever is killed.
 */
export class Compressor {
  readonly #orders = new Map<Backups, Order>()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  /** Sees to all plain files of these backups, also to those that an earlier daemon left. */
  order(backups: Backups, told: Order['told']): void {
    if (this.#stop.signal.aborted) return
    this.#orders.set(backups, { backups, told })
    this.#running ??= this.#run()
  }

  /** Breaks off; what was being compressed stays plain. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (const [key, order] of this.#orders) {
      this.#orders.delete(key)
      try {
        while (!signal.aborted && (await order.backups.compressOne(this.#gzip)));
        order.told(undefined)
      } catch (error) {
        if (!signal.aborted)
          order.told(`cannot compress old files of ${key.path}: ${reasonOf(error)}; they stay`)
      }
    }
    this.#running = undefined
  }

  readonly #gzip = async (from: FileHandle, to: string): Promise<void> => {
    const { mode } = await from.stat()
    await pipeline(
      from.createReadStream({ autoClose: false }),
      createGzip(),
      createWriteStream(to, { mode: mode & 0o777 }),
      { signal: this.#stop.signal },
    )
  }
}
