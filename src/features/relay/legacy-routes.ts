import type { Context } from 'hono'
import type { DoorModule } from '../../api/door-routes.ts'
import { byOldPath, OLD_PATH, oldRefusal, oldSuccess } from '../../api/old-dialect.ts'
import { TaskdError } from '../../lib/errors.ts'
import type { RelaySpec } from '../../model/channel.ts'
import type { RelayPort } from './port.ts'

/** In one request. */
const MAX_RESULTS = 10_000

/**
 * The paths of `legacy_path`: relays in the dialect of old clients (api/old-dialect.ts). `task_num` wants
 * tasks; a body hands in results.
 */
export function relayLegacyRoutes(specs: readonly RelaySpec[], port: RelayPort): DoorModule {
  return door => {
    for (const method of ['get', 'post'] as const) {
      for (const [path, [relay]] of byOldPath(specs)) {
        if (relay === undefined) continue
        door.add({
          ...OLD_PATH,
          access: 'pull',
          method,
          path,
          summary: `Tasks and results: relay ${relay.name}`,
          listAs: 'results',
          refusal: oldRefusal(),
          handle: (body, c) => relayed(c, relay, body, port),
        })
      }
    }
  }
}

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
  // These clients never acknowledge: a task that is handed out counts as done, as it did there.
  if (taken.length > 0) await port.push(name, { results: [], done: taken.map(({ id }) => id) })
  const tasks = taken.map(one => ('task' in one ? one.task : { task_base64: one.task_base64 }))
  return oldSuccess(c, { msg: tasks })
}
