import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessId } from '../../lib/proc.ts'

/** A process that was started, as the next daemon finds it if this one is KILLed. */
export interface ProcessRecord extends ProcessId {
  readonly name: string
  /** The kernel's id of the boot that the pid belongs to. */
  readonly boot: string
  /** A digest of all in its specification that only a restart can change. */
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

  /** One that cannot be removed does no harm: its process is recognised by more than the pid. */
  remove(name: string): void {
    drop(this.#fileOf(name))
  }

  /** Those that can be read; a half-written one is removed. */
  readAll(): ProcessRecord[] {
    return readdirSync(this.#folder).flatMap(file => {
      if (!file.endsWith('.json')) return []
      const path = join(this.#folder, file)
      const record = readRecord(path)
      if (record && this.#fileOf(record.name) === path) return [record]
      drop(path)
      return []
    })
  }

  #fileOf(name: string): string {
    const readable = encodeURIComponent(name)
    const short = readable.length <= 200 && readable !== '' ? readable : digestOf(name)
    return join(this.#folder, `${short}.json`)
  }
}

/** A disk that has become read-only must not take the daemon with it. */
function drop(path: string): void {
  try {
    rmSync(path, { force: true, recursive: true })
  } catch {
    // It is looked at again, and found to be of nothing that lives, at the next start.
  }
}

function readRecord(path: string): ProcessRecord | undefined {
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessRecord> | null
    const { name, pid, startTime, boot, digest } = read ?? {}
    const texts = [name, boot, digest].every(one => typeof one === 'string')
    const numbers = [pid, startTime].every(one => Number.isInteger(one))
    // 1 is never a program, and as a group it would mean every process there is.
    return texts && numbers && Number(pid) > 1 ? (read as ProcessRecord) : undefined
  } catch {
    return undefined
  }
}

export function digestOf(value: unknown): string {
  return createHash('sha1').update(JSON.stringify(value)).digest('hex')
}
