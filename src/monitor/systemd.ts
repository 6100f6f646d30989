import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { Loop } from '../lib/loop.ts'
import type { Service } from '../lib/service.ts'
import { runTool } from '../lib/tool.ts'

const LIMIT_MS = 5000

/**
 * Speaks to systemd through `systemd-notify`, because Node has no unix datagram sockets.
 * Without NOTIFY_SOCKET every call does nothing. https://www.freedesktop.org/software/systemd/man/sd_notify.html
 */
export class SystemdNotifier implements Service {
  readonly name = 'systemd'
  readonly #log: Logger
  readonly #environment: NodeJS.ProcessEnv
  /** Feeds the watchdog. */
  readonly #loop: Loop

  constructor(environment: NodeJS.ProcessEnv, clock: Clock, log: Logger) {
    this.#environment = environment
    this.#log = log
    this.#loop = new Loop({
      clock,
      round: async () => {
        await this.tell('WATCHDOG=1')
        return this.#watchdogMs / 2
      },
    })
  }

  /** The time of systemd's watchdog, ms; 0 when there is none. */
  get #watchdogMs(): number {
    return Number(this.#environment['WATCHDOG_USEC'] ?? 0) / 1000
  }

  /** Begins to feed the watchdog, at half its time, when there is one. */
  start(): Promise<void> {
    if (this.#watchdogMs > 0) this.#loop.start()
    return Promise.resolve()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** @param states for example READY=1, STOPPING=1, STATUS=… */
  async tell(...states: readonly string[]): Promise<void> {
    if (!this.#environment['NOTIFY_SOCKET']) return
    const told = await runTool('systemd-notify', states, LIMIT_MS)
    if (!told.ok) this.#log.warn({ error: told.reason }, 'systemd could not be told')
  }
}
