import { createApp } from '../api/app.ts'
import { failureOf } from '../api/errors.ts'
import { CONFIG_HEADER, checkConfig } from '../api/for-config.ts'
import type { PublicParts } from './door-parts.ts'

interface App {
  fetch(request: Request, env: unknown): Response | Promise<Response>
}

/**
 * What the control socket serves: the command line's routes, and the public API. Both are made when
 * they are first asked for: the daemon is made after its socket, and most never need the second.
 */
export function socketApp(parts: PublicParts): App {
  let own: (App & { readonly serves: (path: string) => boolean }) | undefined
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
      own ??= ownApp(parts)
      if (own.serves(new URL(request.url).pathname)) return own.fetch(request, env)
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

/** The routes of the command line. What is below another noun is the public API's. */
function ownApp(parts: PublicParts) {
  const app = createApp(parts.daemon(), parts.log)
  const nouns = new Set(app.routes.filter(one => one.method !== 'ALL').map(one => nounOf(one.path)))
  return {
    fetch: app.fetch,
    serves: (path: string) => !path.startsWith('/api/') || nouns.has(nounOf(path)),
  }
}

/** `tasks` of `/api/tasks/push`. */
function nounOf(path: string): string | undefined {
  return path.split('/')[2]
}
