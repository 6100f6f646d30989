import type { Clock } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import { findAnswer } from '../model/answer.ts'
import { rpcRequest } from '../model/broker-task.ts'
import { ANSWER_BYTES, KEPT_BYTES, Tail, textOf } from './output.ts'
import type { RpcEnd } from './rpc-request.ts'
import {
  type Cause,
  NO_EXIT,
  type RunOptions,
  type StopCause,
  type Stopped,
  stoppedBy,
} from './run.ts'
import type { Exit, OutputListener } from './spawn.ts'

/** How much of an answer serves as the message. */
const MESSAGE_CHARACTERS = 500

/** How much of its beginning is kept, which tells what it is. */
const HEAD_CHARACTERS = 256

/** A run that is one HTTP request: what it answers is judged as what a script writes. */
export class RpcRun {
  readonly #options: RunOptions
  readonly #clock: Clock
  readonly #body = new Tail(ANSWER_BYTES)
  #head = ''
  readonly #abort = new AbortController()
  #cause: Cause | undefined
  #listener: OutputListener | undefined

  constructor(options: RunOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  async run(): Promise<Stopped> {
    const { task, maxRunTimeMs } = this.#options
    const request = rpcRequest(task.function, task.script, task.param)
    if (!request.ok) return refusal(`the request ${request.reason}`)
    this.#options.onPid(0)
    const limit = this.#clock.setTimer(maxRunTimeMs, () =>
      this.stop('timeout', `ran longer than ${maxRunTimeMs / 1000} s`),
    )
    const end = await this.#call(request.value)
    limit.cancel()
    return this.#cause ? stoppedBy(this.#cause, this.#exit(null)) : this.#ending(end)
  }

  stop(kind: StopCause, reason: string): void {
    if (this.#cause) return
    this.#cause = { kind, reason }
    this.#abort.abort()
  }

  watch(listener: OutputListener | undefined): void {
    this.#listener = listener
    const bytes = this.#body.bytes().subarray(-KEPT_BYTES)
    listener?.({ at: this.#body.total - bytes.length, bytes, snapshot: true })
  }

  async #call(request: { method: string; url: URL; body: string }): Promise<RpcEnd> {
    const { task, environment, rpcAllow } = this.#options
    try {
      // Loaded with the first request: most workers never make one.
      const { callRpc } = await import('./rpc-request.ts')
      return await callRpc({
        ...request,
        headers: {
          'user-agent': 'taskd',
          'taskd-task-id': encodeURIComponent(task.id),
          'taskd-attempt': environment['TASKD_ATTEMPT'] ?? '1',
        },
        allowed: rpcAllow,
        signal: this.#abort.signal,
        onData: chunk => this.#take(chunk),
      })
    } catch (error) {
      return { type: 'broken', reason: messageOf(error) }
    }
  }

  #take(bytes: Buffer): void {
    if (this.#head.length < HEAD_CHARACTERS)
      this.#head += bytes.toString('latin1', 0, HEAD_CHARACTERS)
    const at = this.#body.total
    this.#body.push(bytes)
    this.#listener?.({ at, bytes, snapshot: false })
  }

  #ending(end: RpcEnd): Stopped {
    if (end.type === 'refused') return refusal(end.reason)
    if (end.type === 'broken') return { ...this.#exit(null), cause: 'http', reason: end.reason }
    const ok = end.status >= 200 && end.status <= 299
    const exit = this.#exit(ok ? 0 : null)
    if (ok) return exit
    const found = findAnswer(exit)
    const told = found.type === 'answer' ? found.answer.msg : ''
    const said = told || exit.output.trim().slice(-MESSAGE_CHARACTERS)
    const status = `HTTP ${end.status} ${end.statusText}`.trim()
    return { ...exit, cause: 'http', reason: said === '' ? status : `${status}: ${said}` }
  }

  #exit(exitCode: number | null): Exit {
    const bytes = this.#body.bytes()
    return {
      ...NO_EXIT,
      exitCode,
      stdout: this.#body.toString(),
      cut: this.#body.isCut,
      head: this.#head,
      output: textOf(bytes.subarray(-KEPT_BYTES)),
      written: this.#body.total,
      errors: 0,
    }
  }
}

function refusal(reason: string): Stopped {
  return { ...NO_EXIT, cause: 'spawn', refused: true, reason }
}
