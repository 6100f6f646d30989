import type { Context } from 'hono'
import { z } from 'zod'
import type { DoorEnv, DoorModule } from '../../api/door-routes.ts'
import { failureOf, refuse } from '../../api/errors.ts'
import { type OldError, oldRefusal, oldSuccess } from '../../api/old-dialect.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { ChannelSpec, RelaySpec } from '../../model/channel.ts'
import type { RelayPort } from '../relay/port.ts'
import type { DataPort } from './data-port.ts'
import type { EncryptPort } from './encrypt-port.ts'
import { type OldRows, readOldRows } from './old-rows.ts'

export interface OldPathPorts {
  readonly data: DataPort
  readonly encrypt: EncryptPort
  readonly relays: RelayPort
}

export interface OldPathSpecs {
  readonly channels: readonly ChannelSpec[]
  readonly relays: readonly RelaySpec[]
}

const MAX_BODY_BYTES = 64 << 20
/** Of a relay, in one request. */
const MAX_RESULTS = 10_000
const TAG = 'Channels and relays, old paths'
const answers = {
  200: {
    description: '`code` says whether it is done',
    schema: z.looseObject({ code: z.string(), msg: z.unknown(), timestamp: z.int() }),
  },
}

/**
 * The paths of `legacy_path`: channels and relays in the dialect of old clients (old-dialect.ts).
 * What a request brings says what it wants: the header `field` a field encrypted, `task_num` tasks
 * of a relay, and a body hands in rows or results.
 */
export function channelLegacyRoutes(specs: OldPathSpecs, ports: OldPathPorts): DoorModule {
  const params = z.looseObject({})
  const usual = {
    tag: TAG,
    params,
    maxBodyBytes: MAX_BODY_BYTES,
    bodyLimits: { values: 2_000_000, atOnce: 100_000 },
    getBody: true,
    answers,
  } as const
  return door => {
    for (const method of ['get', 'post'] as const) {
      for (const [path, channels] of byPath(specs.channels))
        door.add({
          ...usual,
          access: 'push',
          method,
          path,
          summary: `Rows, or a field to encrypt: channel ${namesOf(channels)}`,
          listAs: 'rows',
          refusal: oldRefusal('201'),
          async handle(body, c) {
            const field = headerText(c, 'field')
            if (field !== '') return encrypted(c, channels, field, ports.encrypt)
            const parts = await readOldRows(body, c.req.header('channel'), channels)
            return stored(c, parts, ports.data)
          },
        })
      for (const [path, [relay]] of byPath(specs.relays)) {
        if (relay === undefined) continue
        door.add({
          ...usual,
          access: 'pull',
          method,
          path,
          summary: `Tasks and results: relay ${relay.name}`,
          listAs: 'results',
          refusal: oldRefusal(),
          handle: (body, c) => relayed(c, relay, body, ports.relays),
        })
      }
    }
  }
}

function byPath<T extends { readonly legacyPaths: readonly string[] }>(
  specs: readonly T[],
): ReadonlyMap<`/${string}`, readonly T[]> {
  const found = new Map<`/${string}`, T[]>()
  for (const spec of specs)
    for (const path of spec.legacyPaths as readonly `/${string}`[])
      found.set(path, [...(found.get(path) ?? []), spec])
  return found
}

function namesOf(specs: readonly { readonly name: string }[]): string {
  return specs.map(spec => spec.name).join(', ')
}

/** A header arrives as one character for each byte; what was sent is UTF-8. */
function headerText(c: Context, name: string): string {
  return Buffer.from(c.req.header(name) ?? '', 'latin1').toString('utf8')
}

/** The numbers of the old list: a table that takes nothing, and a database that is away. */
const ERRORS: Readonly<Record<string, OldError>> = { '1': '201', '2': '202', '3': '203' }

/** Channel by channel: what one refuses, the others keep. */
async function stored(c: Context, parts: readonly OldRows[], data: DataPort): Promise<Response> {
  let inserted = 0
  let spooled = 0
  for (const { channel, rows } of parts) {
    try {
      const answer = await data.insert(channel, { rows })
      if ('inserted' in answer) inserted += answer.inserted
      else spooled += answer.spooled
    } catch (error) {
      if (!(error instanceof TaskdError)) throw error
      const which = error.code === 'E_DATABASE_AWAY' ? '200' : (ERRORS[channel] ?? '201')
      return refuse(c, failureOf(error), oldRefusal(which, { inserted, spooled }))
    }
  }
  return oldSuccess(c, { inserted, spooled })
}

/** A field has no name there, so a channel on such a path encrypts one field. */
async function encrypted(
  c: Context<DoorEnv>,
  channels: readonly ChannelSpec[],
  text: string,
  port: EncryptPort,
): Promise<Response> {
  const named = c.req.header('channel')
  const able = channels.filter(one => one.encryptUrl !== undefined || one.encrypt.length > 0)
  const [channel] = named === undefined ? able : able.filter(one => one.name === named)
  const [name = 'field', ...more] = channel?.encrypt ?? []
  if (channel === undefined)
    throw new TaskdError(
      'E_BAD_REQUEST',
      `channel ${named ?? namesOf(channels)} encrypts nothing`,
      'add encrypt = and encrypt_key =, or encrypt_url =, to its section',
    )
  if (more.length > 0)
    throw new TaskdError(
      'E_BAD_REQUEST',
      `channel ${channel.name} encrypts several fields, and the header field does not say which`,
      'give this path to a [channel:NAME] that encrypts one',
    )
  const fields = { [name]: text }
  const whole = { channel: channel.name, fields }
  const answer = await port.encrypt({ channel: channel.name, fields, whole })
  switch (answer.kind) {
    case 'fields':
      return oldSuccess(c, { field: answer.fields[name] })
    case 'rows':
      return oldSuccess(c, { field: answer.rows[0]?.[name] })
    case 'upstream': {
      if (answer.status !== 200)
        throw new TaskdError(
          'E_UPSTREAM_AWAY',
          `the service at encrypt_url answers with ${answer.status}`,
          'look at its log',
        )
      return oldSuccess(c, { field: fieldOf(Buffer.from(answer.body).toString('utf8'), name) })
    }
  }
}

/** `{"fields":{NAME:"…"}}` as ours; of a service that answers with the bare text, all of it. */
function fieldOf(text: string, name: string): unknown {
  try {
    const parsed = upstream.safeParse(JSON.parse(text))
    return parsed.success && Object.hasOwn(parsed.data.fields, name)
      ? parsed.data.fields[name]
      : text
  } catch {
    return text
  }
}

const upstream = z.object({ fields: z.record(z.string(), z.unknown()) })

async function relayed(
  c: Context,
  { name, max }: RelaySpec,
  body: Readonly<Record<string, unknown>>,
  port: RelayPort,
): Promise<Response> {
  const wanted = c.req.header('task_num') ?? body['task_num']
  if (wanted === undefined) {
    const { results = body } = body
    const list = Array.isArray(results) ? results : [results]
    if (!Array.isArray(body['results']) && Object.keys(body).length === 0)
      throw new TaskdError(
        'E_BAD_REQUEST',
        'neither the header task_num nor results in the body',
        'send task_num: 100 for tasks, or a JSON list of results',
      )
    if (list.length > MAX_RESULTS)
      throw new TaskdError(
        'E_TOO_LARGE',
        `the body has more than ${MAX_RESULTS} results`,
        'send them in several requests',
      )
    const { pushed } = await port.push(name, { results: list, done: [] })
    return oldSuccess(c, { pushed })
  }
  const count = Number(wanted)
  if (!Number.isInteger(count) || count < 0)
    throw new TaskdError('E_BAD_REQUEST', 'task_num is not a whole number', 'send task_num: 100')
  const taken = count === 0 ? [] : await port.take(name, Math.min(count, max))
  // These clients never say that they are done: handed out is done, as it was there.
  if (taken.length > 0) await port.push(name, { results: [], done: taken.map(({ id }) => id) })
  const tasks = taken.map(one => ('task' in one ? one.task : { task_base64: one.task_base64 }))
  return oldSuccess(c, { msg: tasks })
}
