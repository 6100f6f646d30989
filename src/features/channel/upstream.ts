import { messageOf, TaskdError } from '../../lib/errors.ts'
import type { EncryptAnswer } from './encrypt-port.ts'

const LIMIT_MS = 10_000
const MAX_ANSWER_BYTES = 16 << 20

/**
 * Asks the service that encrypts instead of us, and hands its answer on as it is. The address comes
 * from the configuration; where it redirects to does not, so that is handed on as well.
 * @throws TaskdError E_UPSTREAM_AWAY
 */
export async function askUpstream(
  address: string,
  request: object,
  signal: AbortSignal,
  limitMs = LIMIT_MS,
): Promise<EncryptAnswer> {
  const url = new URL(address)
  const { username, password } = url
  url.username = ''
  url.password = ''
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(username !== '' && { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }),
      },
      body: JSON.stringify(request),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    })
    const contentType = response.headers.get('content-type') ?? 'application/octet-stream'
    return { kind: 'upstream', status: response.status, contentType, body: await bodyOf(response) }
  } catch (error) {
    throw new TaskdError(
      'E_UPSTREAM_AWAY',
      `the service at encrypt_url does not answer as it should: ${reasonOf(error)}`,
      'try again later',
    )
  }
}

async function bodyOf(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let size = 0
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- null for 204 and the like
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > MAX_ANSWER_BYTES)
      throw new Error(`its answer is larger than ${MAX_ANSWER_BYTES >> 20} MiB`)
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** `fetch failed` says nothing, but its cause does. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined
    ? messageOf(error.cause)
    : messageOf(error)
}
