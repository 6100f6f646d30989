import { contextOf, decryptField, encryptField, type FieldKey } from '../../lib/field-crypto.ts'
import type { Turns } from '../../lib/turns.ts'
import type { ChannelSpec, Row } from '../../model/channel.ts'
import { isRow } from './check-rows.ts'

export interface Encryption {
  /** Whether there is a key of ours. */
  readonly active: boolean
  /**
   * The fields of a channel that are to be secret, encrypted. A value that is not a text, number,
   * boolean or null stays as it is; the check of the row reports it.
   * @param once leaves alone what one of the keys has encrypted for this field already
   */
  encrypt(rows: readonly unknown[], options: { readonly once: boolean }): Promise<unknown[]>
}

export function encryptionOf(spec: ChannelSpec, turns: Turns): Encryption {
  const keys = spec.keys.map(({ id, key }): FieldKey => ({ id, key: Buffer.from(key, 'base64') }))
  const [first] = keys
  if (first === undefined) return { active: false, encrypt: async rows => [...rows] }

  function sealed(field: string, value: unknown, once: boolean): unknown {
    const known =
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    if (!known || first === undefined) return value
    const context = contextOf(spec.name, field)
    const text = String(value)
    if (once && decryptField(keys, context, text) !== undefined) return text
    return encryptField(first, context, text)
  }

  function encryptRow(row: Row, once: boolean): Row {
    const secret = spec.encrypt.filter(field => Object.hasOwn(row, field))
    if (secret.length === 0) return row
    return { ...row, ...Object.fromEntries(secret.map(one => [one, sealed(one, row[one], once)])) }
  }

  return {
    active: true,
    async encrypt(rows, { once }) {
      const result: unknown[] = []
      for (const row of rows) {
        await turns.wait()
        result.push(isRow(row) ? encryptRow(row, once) : row)
      }
      return result
    },
  }
}
