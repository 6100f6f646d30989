import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

/**
 * Single fields, encrypted with AES-256-GCM: `keyid.base64url(iv | tag | ciphertext)`, with an iv of
 * 12 bytes and a tag of 16. The tag also covers what the text belongs to, so a value that
 * is moved to another field does not decrypt.
 */

export interface FieldKey {
  readonly id: string
  /** 32 bytes. */
  readonly key: Uint8Array
}

const IV_BYTES = 12
const TAG_BYTES = 16

/** @param context what it belongs to, see `contextOf` */
export function encryptField({ id, key }: FieldKey, context: string, text: string): string {
  const iv = randomBytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(context))
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return `${id}.${Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')}`
}

/** The text, or undefined when it was not encrypted with one of these keys for this context. */
export function decryptField(
  keys: readonly FieldKey[],
  context: string,
  sealed: string,
): string | undefined {
  const [, id, body = ''] = /^([^.]+)\.([\w-]+)$/.exec(sealed) ?? []
  const found = keys.find(one => one.id === id)
  const bytes = Buffer.from(body, 'base64url')
  // Node ignores stray letters at the end, but a text that was changed must not pass.
  if (!found || bytes.length < IV_BYTES + TAG_BYTES || bytes.toString('base64url') !== body)
    return undefined
  const decipher = createDecipheriv('aes-256-gcm', found.key, bytes.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
  try {
    const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}

/** The field of a channel. Neither name has a slash. */
export function contextOf(channel: string, field: string): string {
  return `${channel}/${field}`
}
