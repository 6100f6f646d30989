import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessId } from '../../lib/proc.ts'

/** A process that was started, as the next daemon finds it if this one is KILLed. */
export interface ProcessRecord extends ProcessId {
  readonly name: string
  /** The kernel's id of the boot that the pid belongs to. */
  readonly boot: string
  /** Of all in its specification that would make it another process. */
  readonly digest: string
}

/**
 * A file for each running process of a program. Not synced to the disk: what a power cut takes
 * from it has ended by that power cut, too.
 */
export class ProcessRecords {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o750 })
  }

  /** @throws Error when the disk is full */
  write(record: ProcessRecord): void {
    const file = this.#fileOf(record.name)
    writeFileSync(`${file}.new`, JSON.stringify(record))
    renameSync(`${file}.new`, file)
  }

  remove(name: string): void {
    rmSync(this.#fileOf(name), { force: true })
  }

  /** Those that can be read; a half-written one is as good as none. */
  readAll(): ProcessRecord[] {
    return readdirSync(this.#folder).flatMap(file => {
      if (!file.endsWith('.json')) return []
      try {
        return [JSON.parse(readFileSync(join(this.#folder, file), 'utf8')) as ProcessRecord]
      } catch {
        return []
      }
    })
  }

  #fileOf(name: string): string {
    const readable = encodeURIComponent(name)
    const short = readable.length <= 200 && readable !== '' ? readable : digestOf(name)
    return join(this.#folder, `${short}.json`)
  }
}

export function digestOf(value: unknown): string {
  return createHash('sha1').update(JSON.stringify(value)).digest('hex')
}
