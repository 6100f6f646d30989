import { closeSync, constants, fchmodSync, openSync } from 'node:fs'
import type { Fifos } from './fifos.ts'
import { type Descriptor, descriptorOf } from './output-port.ts'

/** Readable by programs of every user through /dev/stdin, and writable by none. */
const MODE = 0o444

/**
 * What programs have as their standard input: a pipe that stays open and brings nothing, as under
 * supervisord, so that whatever ends with its input (cat, watchers) goes on. All share one, which
 * ends with the daemon.
 */
export class Stdin {
  readonly #fifos: Pick<Fifos, 'take'>
  #shared: Promise<number> | undefined

  constructor(fifos: Pick<Fifos, 'take'>) {
    this.#fifos = fifos
  }

  /**
   * For one start of a program.
   * @param outlives the daemon: a program that may be adopted holds a pipe of its own at both ends
   * @throws TaskdError E_NO_PIPE
   */
  async descriptor(outlives: boolean): Promise<Descriptor> {
    const fifo = await (outlives ? this.#make() : this.#share())
    try {
      const access = outlives ? constants.O_RDWR : constants.O_RDONLY
      // A new open file of its own, blocking as programs expect it.
      return descriptorOf(openSync(`/proc/self/fd/${fifo}`, access))
    } finally {
      if (outlives) closeSync(fifo)
    }
  }

  async close(): Promise<void> {
    const shared = this.#shared
    this.#shared = undefined
    await shared?.then(closeSync, () => undefined)
  }

  #share(): Promise<number> {
    this.#shared ??= this.#make().catch((error: unknown) => {
      this.#shared = undefined
      throw error
    })
    return this.#shared
  }

  async #make(): Promise<number> {
    const fifo = await this.#fifos.take()
    fchmodSync(fifo, MODE)
    return fifo
  }
}
