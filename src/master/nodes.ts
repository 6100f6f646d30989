import type { Redis } from 'ioredis'
import type { NodeStatus } from '../api/status.ts'
import { type Clock, isoWithOffset } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { Service } from '../lib/service.ts'
import type { Events } from '../model/events.ts'
import type { FenceMode } from '../model/fence-mode.ts'
import { Fence } from '../queue/fence.ts'
import { nodeName, SIGNS } from '../queue/keys.ts'
import { fieldOfOwner, goneSign, NodeSign, type Renewal } from '../queue/node-sign.ts'
import { NodeWatch } from '../queue/node-watch.ts'
import type { Scripts } from '../queue/scripts.ts'

export interface NodesDeps {
  readonly redis: Redis & Scripts
  readonly node: string
  readonly instance: string
  readonly clock: Clock
  readonly log: Logger
  readonly events: Events
  readonly settings: () => {
    readonly nodeTimeoutMs: number
    readonly killWaitMs: number
    readonly fence: FenceMode
  }
  /** Takes over the tasks of owners whose node is gone. */
  readonly takeOver: () => Promise<void>
  /** Other nodes took this one for gone: its workers must check the tasks that they hold. */
  readonly onDoubted: () => void
}

/** How often tasks are looked for whose node gives no sign at all. */
const SWEEP_MS = 30_000
/** How long a node that is gone is shown. */
const SHOWN_MS = 86_400_000

/** The nodes on this Redis: gives the sign of this one, and judges the others by theirs. */
export class Nodes implements Service {
  readonly name = 'nodes'
  readonly #deps: NodesDeps
  readonly #sign: NodeSign
  readonly #watch: NodeWatch
  readonly #fence: Fence
  /** The nodes that were reported as gone. */
  readonly #gone = new Set<string>()
  #fencedSince: number | undefined
  #sweptAt = Number.NEGATIVE_INFINITY
  #first = true
  #judging: Promise<void> = Promise.resolve()

  constructor(deps: NodesDeps) {
    const { settings, clock } = deps
    this.#deps = deps
    const timeoutMs = () => settings().nodeTimeoutMs
    this.#sign = new NodeSign({
      ...deps,
      timeoutMs,
      onRenewed: renewal => this.#hear(renewal),
      onRefused: () => this.#watch.missed(),
    })
    this.#watch = new NodeWatch(this.#sign.field, timeoutMs)
    this.#fence = new Fence({
      sign: this.#sign,
      clock,
      killWaitMs: () => settings().killWaitMs,
      applies: () => settings().fence !== 'off',
      onClosed: () => this.#fenced(true),
      onOpened: () => this.#fenced(false),
    })
  }

  async start(): Promise<void> {
    await this.#sign.start()
    this.#fence.start()
  }

  async stop(): Promise<void> {
    this.#sign.stop()
    this.#fence.stop()
    await this.#judging
  }

  /** Nothing of this node runs any more, so others need not wait for its sign. */
  async leave(): Promise<void> {
    await this.#deps.redis.hdel(SIGNS, this.#sign.field)
  }

  /** Whether others may take the tasks of an owner of another installation. */
  isGone(owner: string, taskKey: string): boolean {
    const field = fieldOfOwner(owner, taskKey)
    const now = this.#deps.clock.monotonic()
    this.#watch.expect(field, now)
    return this.#watch.isGone(field, now)
  }

  /** Whether a node of this name is gone, of whichever installation. */
  nameIsGone(name: string): boolean {
    const now = this.#deps.clock.monotonic()
    const known = this.#watch.nodes.filter(one => one.field.startsWith(`${name}@`))
    if (known.length > 0) return known.every(one => one.gone !== undefined)
    this.#watch.expect(`${name}@`, now)
    return this.#watch.isGone(`${name}@`, now)
  }

  get statuses(): NodeStatus[] {
    const { node, instance } = this.#deps
    const since = this.#fencedSince
    const self: NodeStatus = {
      name: node,
      self: true,
      state: since === undefined ? 'alive' : 'fenced',
      since: since === undefined ? null : isoWithOffset(since),
    }
    const others = this.#watch.nodes
      .filter(({ field }) => !field.endsWith(`@${instance}`))
      .map(({ field, gone }): NodeStatus => {
        const name = nameOf(field)
        return {
          name,
          self: false,
          state: gone === undefined ? 'alive' : 'gone',
          since: gone ?? null,
        }
      })
    return [self, ...others.toSorted((a, b) => a.name.localeCompare(b.name))]
  }

  #fenced(closed: boolean): void {
    const { clock, log, events, node } = this.#deps
    const others = this.#sign.others.map(nameOf).join(', ')
    this.#fencedSince = closed ? clock.now() : undefined
    const detail = closed
      ? `cannot reach Redis, and ${others} may take its tasks: what it may not run beside them is ended`
      : 'reaches Redis again'
    log[closed ? 'error' : 'info']({ node, others }, `this node ${detail}`)
    events.emit({ type: 'node', node, state: closed ? 'fenced' : 'alive', detail })
  }

  #hear(renewal: Renewal): void {
    const before = renewal.signs.get(this.#sign.field)
    if (before?.startsWith('gone ') && !this.#first) {
      this.#deps.log.error(
        { node: this.#deps.node },
        'other nodes had taken this one for gone: it makes sure of the tasks it has',
      )
      this.#deps.onDoubted()
    }
    this.#first = false
    this.#watch.look(renewal)
    this.#judging = this.#judging
      .then(() => this.#judge())
      .catch((error: unknown) => {
        // If the sign could not be written, no node can be judged now.
        this.#watch.missed()
        this.#deps.log.debug({ error: messageOf(error) }, 'nodes cannot be judged')
      })
  }

  async #judge(): Promise<void> {
    const { clock, redis, instance } = this.#deps
    for (const { field, sign } of this.#watch.overdue(clock.monotonic())) {
      // An earlier name of this node: /proc says what is still alive of it.
      if (field.endsWith(`@${instance}`)) await this.#forget(field)
      else {
        const mark = goneSign(isoWithOffset(clock.now()))
        if ((await redis.markGone(SIGNS, field, sign, mark)) === 1)
          this.#watch.marked(field, mark, clock.monotonic())
      }
    }
    const news = await this.#tell()
    if (news || clock.monotonic() - this.#sweptAt >= SWEEP_MS) await this.#sweep()
  }

  async #forget(field: string): Promise<void> {
    await this.#deps.redis.hdel(SIGNS, field)
    this.#watch.forget(field)
  }

  /** @returns whether a node has become gone */
  async #tell(): Promise<boolean> {
    const { clock, log, events } = this.#deps
    let news = false
    for (const { field, gone } of this.#watch.nodes) {
      const name = nameOf(field)
      const told = this.#gone.has(field)
      if (gone !== undefined && Date.parse(gone) + SHOWN_MS < clock.now()) await this.#forget(field)
      else if (gone !== undefined && !told) {
        news = true
        this.#gone.add(field)
        const detail = `gives no sign of life since before ${gone}: its tasks go to other nodes`
        log.error({ node: name }, `node ${name} ${detail}`)
        events.emit({ type: 'node', node: name, state: 'gone', detail })
      } else if (gone === undefined && told) {
        this.#gone.delete(field)
        log.info({ node: name }, `node ${name} is back`)
        events.emit({ type: 'node', node: name, state: 'alive', detail: 'is back' })
      }
    }
    return news
  }

  async #sweep(): Promise<void> {
    const { redis, clock, takeOver } = this.#deps
    this.#sweptAt = clock.monotonic()
    for (const field of this.#watch.silent) {
      const lease = await redis.get(nodeName(nameOf(field)))
      const [, instance] = field.split('@')
      if (lease !== null && (instance === '' || instance === lease))
        this.#watch.lives(field, clock.monotonic())
    }
    await takeOver()
    for (const field of this.#watch.silent)
      if (this.#watch.isGone(field, clock.monotonic())) this.#watch.forget(field)
  }
}

const nameOf = (field: string) => field.slice(0, Math.max(0, field.lastIndexOf('@')))
