import { createHash } from 'node:crypto'
import type { DoorRoutes } from '../door-routes.ts'
import { DOCS_PAGE, DOCS_SCRIPT, DOCS_STYLE } from './docs-page.ts'

const ABOUT = `The HTTP API of taskd. Parameters may come as JSON, as a form or in the query string,
also mixed; JSON wins over a form, a form over the query. Errors are
\`{"error":{"code","message"}}\` with the status that fits.`

/**
 * `/openapi.json` and the page that shows it. Both are open: they are the same in every
 * installation, and a browser cannot send a secret by itself.
 */
export function addDocs(routes: DoorRoutes, version: string): void {
  const { app } = routes
  app.openAPIRegistry.registerComponent('securitySchemes', 'secret', {
    type: 'apiKey',
    in: 'header',
    name: 'secret',
    description: '`secret: …`, one of the secrets in [taskd].',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: '`Authorization: Bearer …`, the same secret.',
  })
  let json: string | undefined
  app.get('/openapi.json', c => {
    json ??= JSON.stringify(
      app.getOpenAPI31Document({
        openapi: '3.1.0',
        info: { title: 'taskd', version, description: ABOUT },
      }),
    )
    return c.body(json, 200, { 'content-type': 'application/json' })
  })
  app.get('/docs', c =>
    c.body(DOCS_PAGE, 200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': PAGE_POLICY,
    }),
  )
  routes.allow('get', '/openapi.json', 'open')
  routes.allow('get', '/docs', 'open')
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Nothing but what the page itself brings, and the document that it reads. */
const PAGE_POLICY = [
  "default-src 'none'",
  `script-src ${hash(DOCS_SCRIPT)}`,
  `style-src ${hash(DOCS_STYLE)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
