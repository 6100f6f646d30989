import { join } from 'node:path'
import { turns } from '../../api/body.ts'
import type { Clock } from '../../lib/clock.ts'
import { TaskdError } from '../../lib/errors.ts'
import { Fleet } from '../../lib/fleet.ts'
import type { Logger } from '../../lib/log.ts'
import { unknownName } from '../../lib/suggest.ts'
import type { ChannelSpec } from '../../model/channel.ts'
import { Channel } from './channel.ts'
import { isRow } from './check-rows.ts'
import type { DataAnswer, DataBatch, DataPort } from './data-port.ts'
import type { EncryptAnswer, EncryptPort, EncryptRequest } from './encrypt-port.ts'
import { encryptionOf } from './encryption.ts'
import { badRows } from './refusals.ts'
import type { ChannelStatus } from './status.ts'
import { openChannelStore } from './store.ts'
import { askUpstream } from './upstream.ts'

export interface ChannelsDeps {
  readonly dataDir: string
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly log: Logger
}

/** How many problems are listed by row. */
const MAX_PROBLEMS = 20

/** All channels, as the configuration has them. */
export class Channels implements DataPort, EncryptPort {
  readonly #fleet: Fleet<ChannelSpec, Channel>
  readonly #stopping = new AbortController()

  constructor({ dataDir, clock, random, log }: ChannelsDeps) {
    this.#fleet = new Fleet(
      (spec, before) =>
        new Channel({
          spec,
          dir: join(dataDir, 'spool', spec.name),
          store: openChannelStore(spec, clock),
          encryption: encryptionOf(spec, turns),
          clock,
          random,
          log,
          inserted: before?.inserted ?? 0,
        }),
    )
  }

  /** Applies a configuration. An unchanged channel is not disturbed. */
  configure(specs: readonly ChannelSpec[]): Promise<void> {
    return this.#fleet.configure(specs)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.configure([])
  }

  async insert(name: string, batch: DataBatch): Promise<DataAnswer> {
    return (await this.#named(name)).insert(batch)
  }

  async encrypt(request: EncryptRequest): Promise<EncryptAnswer> {
    const channel = await this.#encrypting(request.channel)
    const { spec, encryption } = channel
    if (spec.encryptUrl !== undefined)
      return askUpstream(spec.encryptUrl, request.whole, this.#stopping.signal)
    const { fields } = request
    const rows = fields === undefined ? request.rows : [fields]
    if (rows === undefined)
      throw new TaskdError('E_BAD_REQUEST', 'there is nothing to encrypt', 'send rows or fields')
    if (rows.length > spec.maxRows)
      throw badRows(spec.name, [`${rows.length} are more than max_rows = ${spec.maxRows}`], 0)
    const problems: string[] = []
    let count = 0
    for (const [index, row] of rows.entries()) {
      await turns.wait()
      const found = problemsOf(row, index, spec.encrypt)
      count += found.length
      if (problems.length < MAX_PROBLEMS) problems.push(...found)
    }
    if (count > 0) throw badRows(spec.name, problems.slice(0, MAX_PROBLEMS), count - MAX_PROBLEMS)
    const encrypted = (await encryption.encrypt(rows, { once: false })).filter(isRow)
    if (fields === undefined) return { kind: 'rows', rows: encrypted }
    return { kind: 'fields', fields: encrypted[0] ?? {} }
  }

  async statuses(): Promise<ChannelStatus[]> {
    return Promise.all(this.#fleet.members.map(one => one.status()))
  }

  async #named(name: string): Promise<Channel> {
    await this.#fleet.settled
    const found = this.#fleet.get(name)
    if (found && !this.#stopping.signal.aborted) return found
    if (this.#stopping.signal.aborted) throw new TaskdError('E_STOPPING', 'taskd stops')
    const message = `no channel named ${name.slice(0, 64)}`
    const otherwise = 'add [channel:NAME] to the configuration'
    const known = this.#fleet.members.map(one => one.spec.name)
    throw unknownName('E_NO_CHANNEL', message, name, known, otherwise)
  }

  async #encrypting(name: string | undefined): Promise<Channel> {
    await this.#fleet.settled
    const all = this.#fleet.members.filter(isEncrypting)
    const [only] = all
    if (name === undefined && only !== undefined && all.length === 1) return only
    if (name === undefined)
      throw new TaskdError(
        'E_BAD_REQUEST',
        all.length === 0 ? 'no channel encrypts' : 'several channels encrypt',
        all.length === 0 ? 'add encrypt = to a [channel:NAME]' : 'say which: "channel"',
      )
    const found = await this.#named(name)
    if (isEncrypting(found)) return found
    throw new TaskdError(
      'E_BAD_REQUEST',
      `channel ${name} encrypts nothing`,
      `add encrypt = and encrypt_key = to [channel:${name}]`,
    )
  }
}

function isEncrypting({ spec, encryption }: Channel): boolean {
  return spec.encryptUrl !== undefined || encryption.active
}

/** What cannot be encrypted in a row. */
function problemsOf(row: unknown, index: number, encrypt: readonly string[]): string[] {
  if (!isRow(row)) return [`rows[${index}]: is no object`]
  return encrypt
    .filter(field => Object.hasOwn(row, field))
    .filter(field => typeof row[field] === 'object' && row[field] !== null)
    .map(field => `rows[${index}].${field}: is neither text nor number`)
}
