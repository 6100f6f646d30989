import { createApp } from '../api/app.ts'
import { failureOf } from '../api/errors.ts'
import { CONFIG_HEADER, checkConfig } from '../api/for-config.ts'
import type { PublicParts } from './door-parts.ts'

interface App {
  fetch(request: Request, env: unknown): Response | Promise<Response>
}

/** What programs ask for: over TCP, and here without a secret, for whoever may use the socket. */
const PUBLIC = /^\/api\/(?:task|queue|data|encrypt|relay)(?:\/|$)/

/**
 * What the control socket serves: the command line's routes, and the public API. Both are made when
 * they are first asked for: the daemon is made after its socket, and most never need the second.
 */
export function socketApp(parts: PublicParts): App {
  let own: App | undefined
  let open: Promise<App> | undefined
  return {
    async fetch(request, env) {
      try {
        const { file, settings } = parts.config.current
        checkConfig(request.headers.get(CONFIG_HEADER), { file, socket: settings.socket })
      } catch (error) {
        const { status, body } = failureOf(error)
        return Response.json(body, { status })
      }
      if (!PUBLIC.test(new URL(request.url).pathname)) {
        own ??= createApp(parts.daemon(), parts.log)
        return own.fetch(request, env)
      }
      open ??= import('./door.ts')
        .then(door => door.publicApp(parts))
        .catch((error: unknown) => {
          open = undefined
          throw error
        })
      return (await open).fetch(request, env)
    },
  }
}
