import { Hono } from 'hono'
import type { Control } from '../control.ts'
import { query } from '../input.ts'
import { tailQuery } from '../schemas.ts'

/** Output as it is, bytes after bytes, for as long as the client stays. */
export function tailRoutes(control: Control) {
  return new Hono().get('/tail', query(tailQuery), async c => {
    const { name, lines, follow, stream } = c.req.valid('query')
    const done = new AbortController()
    const signal = AbortSignal.any([c.req.raw.signal, done.signal])
    const options = { lines, follow: follow === 'true', stream }
    try {
      const output = await control.tail(name, options, signal)
      return c.body(streamOf(output, done), 200, { 'content-type': 'application/octet-stream' })
    } catch (error) {
      done.abort()
      throw error
    }
  })
}

/** Takes a part only when the client has room for it; when the client leaves, it ends. */
function streamOf(
  output: AsyncIterable<Uint8Array>,
  done: AbortController,
): ReadableStream<Uint8Array> {
  const parts = output[Symbol.asyncIterator]()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const next = await parts.next()
          if (next.done !== true) return controller.enqueue(next.value)
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        done.abort()
      },
      async cancel() {
        done.abort()
        await parts.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
