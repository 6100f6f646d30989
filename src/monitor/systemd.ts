import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import type { Service } from '../lib/service.ts'
import { runTool } from '../lib/tool.ts'

const LIMIT_MS = 5000

/**
 * Speaks to systemd through `systemd-notify`, because Node has no unix datagram sockets.
 * Without NOTIFY_SOCKET every call does nothing. https://www.freedesktop.org/software/systemd/man/sd_notify.html
 */
export class SystemdNotifier implements Service {
  readonly name = 'systemd'
  readonly #clock: Clock
  readonly #log: Logger
  readonly #environment: NodeJS.ProcessEnv
  #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(environment: NodeJS.ProcessEnv, clock: Clock, log: Logger) {
    this.#environment = environment
    this.#clock = clock
    this.#log = log
  }

  /** Begins to feed the watchdog, at half its time, when there is one. */
  async start(): Promise<void> {
    const limitUs = Number(this.#environment['WATCHDOG_USEC'] ?? 0)
    if (this.#running || !(limitUs > 0)) return
    this.#stopping = new AbortController()
    this.#running = this.#feed(limitUs / 2000)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#running = undefined
  }

  async #feed(everyMs: number): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await this.tell('WATCHDOG=1')
      await this.#clock.sleep(everyMs, signal)
    }
  }

  /** @param states for example READY=1, STOPPING=1, STATUS=… */
  async tell(...states: readonly string[]): Promise<void> {
    if (!this.#environment['NOTIFY_SOCKET']) return
    const told = await runTool('systemd-notify', states, LIMIT_MS)
    if (!told.ok) this.#log.warn({ error: told.reason }, 'systemd could not be told')
  }
}
