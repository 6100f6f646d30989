import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import type { LogFileSpec, OutputSpec } from '../model/program-spec.ts'
import { type Fifos, openWriteEnd } from './fifos.ts'
import { type Descriptor, descriptorOf, type Output, unsuited } from './output-port.ts'
import { Stamper } from './stamp.ts'
import type { LogWriter } from './writer.ts'
import type { Writers } from './writers.ts'

export interface PipeDeps {
  readonly clock: Clock
  readonly fifos: Fifos
  readonly writers: Writers
  /** Where all pipes are read into, one after another: what is kept of it is copied. */
  readonly scratch: Buffer
}

/** How much is still read from a pipe at its end, bytes; what is written after that is lost. */
const LAST_BYTES = 1 << 20

/** A stream that goes through us into a file: one pipe for all starts of the program. */
export class PipeOutput implements Output {
  dropped = 0
  readonly #deps: PipeDeps
  readonly #stamper = new Stamper()
  #spec: LogFileSpec
  #writer: LogWriter
  #fifo: number | undefined
  #opening: Promise<number> | undefined
  #socket: Socket | undefined
  #closed = false

  constructor(spec: LogFileSpec, deps: PipeDeps) {
    this.#deps = deps
    this.#spec = spec
    this.#writer = deps.writers.take(spec)
  }

  async prepare(): Promise<void> {
    if (this.#fifo === undefined) await this.#openOnce()
  }

  descriptor(): Promise<Descriptor> | Descriptor {
    return this.#fifo === undefined ? this.#openOnce().then(writeEnd) : writeEnd(this.#fifo)
  }

  #openOnce(): Promise<number> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(): Promise<number> {
    this.#writer.touch()
    const fifo = await this.#deps.fifos.take()
    if (this.#closed) {
      closeSync(fifo)
      throw new Error(`the output to ${this.#spec.path} is closed`)
    }
    const { scratch } = this.#deps
    const callback = (bytes: number) => this.#read(scratch.subarray(0, bytes))
    const options = {
      fd: fifo,
      readable: true,
      writable: false,
      onread: { buffer: scratch, callback },
    }
    const socket = new Socket(options)
    // A pipe of which we hold both ends does not break. If it does, the next start gets a new one.
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      if (this.#socket === socket) this.#fifo = undefined
    })
    socket.unref()
    this.#socket = socket
    this.#fifo = fifo
    return fifo
  }

  /** @returns false when no more is to be read for now */
  #read(bytes: Buffer): boolean {
    this.#keep(bytes)
    if (!this.#writer.full || this.#closed) return true
    this.#writer.room(() => {
      if (!this.#closed) this.#socket?.resume()
    })
    return false
  }

  #keep(bytes: Buffer): void {
    if (!this.#writer.accepts(bytes.length)) {
      this.dropped += bytes.length
      this.#stamper.startLine()
      return
    }
    if (this.#spec.timestamps) {
      const stamped = this.#stamper.stamp(bytes, `${isoWithOffset(this.#deps.clock.now())} `)
      this.#writer.push(stamped === bytes ? Buffer.from(bytes) : stamped)
    } else {
      this.#stamper.pass(bytes)
      this.#writer.push(Buffer.from(bytes))
    }
  }

  retune(spec: OutputSpec): void {
    if (spec.kind !== 'file' || spec.through !== 'pipe') throw unsuited(spec)
    const moved = spec.path !== this.#spec.path
    this.#spec = spec
    if (!moved) return this.#writer.retune(spec)
    const old = this.#writer
    this.#writer = this.#deps.writers.take(spec)
    if (this.#fifo !== undefined) this.#writer.touch()
    void this.#deps.writers.give(old)
    return undefined
  }

  reopen(): void {
    if (this.#fifo !== undefined) this.#writer.reopen()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#fifo !== undefined) this.#drain(this.#fifo)
    this.#fifo = undefined
    this.#socket?.destroy()
    await this.#deps.writers.give(this.#writer)
  }

  /** Reads what is still in the pipe. */
  #drain(fifo: number): void {
    const { scratch } = this.#deps
    for (let all = 0; all < LAST_BYTES; ) {
      let bytes = 0
      try {
        bytes = readSync(fifo, scratch)
      } catch {
        return
      }
      if (bytes === 0) return
      this.#keep(scratch.subarray(0, bytes))
      all += bytes
    }
  }
}

function writeEnd(fifo: number): Descriptor {
  return descriptorOf(openWriteEnd(fifo))
}
