import type { Context } from 'hono'
import { z } from 'zod'
import type { DoorEnv, DoorModule } from '../../api/door-routes.ts'
import { failureOf, refuse } from '../../api/errors.ts'
import {
  byOldPath,
  OLD_PATH,
  type OldError,
  oldRefusal,
  oldSuccess,
} from '../../api/old-dialect.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { ChannelSpec } from '../../model/channel.ts'
import type { DataPort } from './data-port.ts'
import type { EncryptPort } from './encrypt-port.ts'
import { type OldRows, readOldRows } from './old-rows.ts'

/**
 * The paths of `legacy_path`: channels in the dialect of old clients (api/old-dialect.ts). The header
 * `field` wants a field encrypted; a body hands in rows.
 */
export function channelLegacyRoutes(
  specs: readonly ChannelSpec[],
  port: DataPort & EncryptPort,
): DoorModule {
  return door => {
    for (const method of ['get', 'post'] as const) {
      for (const [path, channels] of byOldPath(specs))
        door.add({
          ...OLD_PATH,
          access: 'push',
          method,
          path,
          summary: `Rows, or a field to encrypt: channel ${namesOf(channels)}`,
          listAs: 'rows',
          refusal: oldRefusal('201'),
          async handle(body, c) {
            const field = headerText(c, 'field')
            if (field !== '') return encrypted(c, channels, field, port)
            const parts = await readOldRows(body, c.req.header('channel'), channels)
            return stored(c, parts, port)
          },
        })
    }
  }
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
