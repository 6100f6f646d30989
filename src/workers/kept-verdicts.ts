import { createHash } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { Clock } from '../lib/clock.ts'
import { codeOf, messageOf } from '../lib/errors.ts'
import { stringify } from '../lib/json-text.ts'
import type { Logger } from '../lib/log.ts'
import { syncFolder } from '../lib/sync-folder.ts'
import { readAnswer } from '../model/answer.ts'
import type { WaitingEnd } from '../queue/run-ends.ts'
import type { EndedRun } from '../queue/run-history.ts'
import type { Verdict } from './settle.ts'

/**
 * Verdicts on disk. When a run ends while Redis is away, only its worker knows. If that is
 * killed before Redis is back, the task would run again. So a verdict that Redis does not
 * take at once is written to a file of its own, and the file goes when the queue knows. Recovery reports
 * what a dead worker has left. There are never more files than tasks in hand.
 */
export interface KeptVerdict {
  /** The text form of the worker's incarnation, as in the task's lock. */
  readonly owner: string
  readonly verdict: Verdict
  readonly run: EndedRun
  /** The row of `execute_task`, where the run has one. */
  readonly row?: WaitingEnd | undefined
}

/** How long Redis may take with a verdict before it is written down, ms. */
const AT_ONCE_MS = 200
const ENDING = '.json'

export interface KeepingDeps {
  /** It is made with the first verdict. */
  readonly folder: string
  readonly owner: string
  readonly redis: Pick<Redis, 'status'>
  readonly clock: Pick<Clock, 'setTimer'>
  /** Called when the disk has not taken one. */
  readonly onRefused: (error: string) => void
}

interface Held {
  readonly timer: { cancel(): void }
  /** The file, once it is written; undefined for one that the disk did not take. */
  file?: Promise<string | undefined>
}

/** The side of the worker: from the end of a run until the queue knows of it. */
export class VerdictKeeper {
  readonly #deps: KeepingDeps
  readonly #held = new Map<string, Held>()

  constructor(deps: KeepingDeps) {
    this.#deps = deps
  }

  /** @param make called when it is to be written down */
  hold(taskId: string, make: () => Omit<KeptVerdict, 'owner'>): void {
    const { clock, redis, owner } = this.#deps
    const write = () => {
      const held = this.#held.get(taskId)
      if (held) held.file = this.#write({ owner, ...make() })
    }
    const timer = clock.setTimer(redis.status === 'ready' ? AT_ONCE_MS : 0, write)
    this.#held.set(taskId, { timer })
  }

  /** The queue knows, or has given the task to somebody else. */
  async drop(taskId: string): Promise<void> {
    const held = this.#held.get(taskId)
    this.#held.delete(taskId)
    held?.timer.cancel()
    const file = await held?.file
    // A file that stays is reported once more, which does no harm.
    if (file !== undefined) await unlink(file).catch(() => undefined)
  }

  async #write(kept: KeptVerdict): Promise<string | undefined> {
    const { folder, onRefused } = this.#deps
    const { task, attempt } = kept.verdict
    const file = fileOf(folder, kept.owner, task.id, attempt)
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const fresh = await open(`${file}.new`, 'w', 0o600)
      try {
        const { answer } = kept.verdict.result
        // As a text within it, so that its numbers keep their digits.
        await fresh.writeFile(stringify({ ...kept, answer: stringify(answer) }))
        await fresh.sync()
      } finally {
        await fresh.close()
      }
      await rename(`${file}.new`, file)
      await syncFolder(folder)
      return file
    } catch (error) {
      onRefused(messageOf(error))
      await unlink(`${file}.new`).catch(() => undefined)
      return undefined
    }
  }
}

function fileOf(folder: string, owner: string, taskId: string, attempt: number): string {
  const name = createHash('sha256').update(`${owner} ${attempt} ${taskId}`).digest('hex')
  return join(folder, `${name.slice(0, 32)}${ENDING}`)
}

/** A verdict that a dead worker has left, and how to remove it. */
export interface LeftVerdict extends KeptVerdict {
  drop(): Promise<void>
}

type Log = Pick<Logger, 'warn'>

/** The other side: what dead workers have left. */
export class LeftVerdicts {
  readonly #folder: string
  readonly #log: Log

  constructor(folder: string, log: Log) {
    this.#folder = folder
    this.#log = log
  }

  /** The verdict on this run, if its worker has left one. */
  find(owner: string, taskId: string, attempt: number): Promise<LeftVerdict | undefined> {
    return this.#read(fileOf(this.#folder, owner, taskId, attempt))
  }

  /** @param isDead by the text form of the owner: what a worker that lives has there is its own */
  async all(isDead: (owner: string) => boolean): Promise<LeftVerdict[]> {
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT')
        this.#log.warn({ error: messageOf(error) }, 'the verdicts on disk cannot be read')
      return []
    })
    const files = names.filter(name => name.endsWith(ENDING)).map(name => join(this.#folder, name))
    const left: LeftVerdict[] = []
    for (const file of files) {
      const found = await this.#read(file)
      if (found && isDead(found.owner)) left.push(found)
    }
    return left
  }

  /** A file that cannot be read is set aside. */
  async #read(file: string): Promise<LeftVerdict | undefined> {
    try {
      const kept = keptIn(await readFile(file, 'utf8'))
      const drop = () => unlink(file).catch(() => undefined)
      return { ...kept, drop }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      this.#log.warn(
        { file, error: messageOf(error) },
        'a verdict on disk cannot be read: set aside',
      )
      await rename(file, `${file}.bad`).catch(() => undefined)
      return undefined
    }
  }
}

/** @throws what JSON.parse says, or that it is no verdict */
function keptIn(text: string): KeptVerdict {
  const { answer, ...kept } = JSON.parse(text) as KeptVerdict & { readonly answer: string }
  const said = readAnswer(answer)
  if (said === undefined || typeof kept.verdict.task.id !== 'string') throw new Error('no verdict')
  const result = { ...kept.verdict.result, answer: said }
  return { ...kept, verdict: { ...kept.verdict, result } }
}
