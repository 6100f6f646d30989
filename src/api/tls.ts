import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { messageOf, TaskdError } from '../lib/errors.ts'

/** Two files in PEM; the certificate may bring its chain. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
}

/**
 * Reads the files anew and makes sure that they belong together.
 * @throws TaskdError E_TLS
 */
export function readTls({ cert, key }: TlsFiles): SecureContextOptions {
  const options = {
    cert: read(cert, 'http_cert'),
    key: read(key, 'http_key'),
    minVersion: 'TLSv1.2',
  } as const
  try {
    createSecureContext(options)
  } catch (error) {
    throw new TaskdError(
      'E_TLS',
      `http_cert and http_key cannot be used: ${messageOf(error)}`,
      'they must be PEM, without a passphrase, and belong to each other',
    )
  }
  return options
}

function read(path: string, setting: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const message = `${setting} cannot be read: ${messageOf(error)}`
    throw new TaskdError('E_TLS', message, 'name a file that the user of taskd may read')
  }
}
