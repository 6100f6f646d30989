import { createDecipheriv, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { contextOf, decryptField, encryptField } from '../../../src/lib/field-crypto.ts'

const old = { id: 'v1', key: randomBytes(32) }
const current = { id: 'v2', key: randomBytes(32) }
const context = contextOf('orders', 'phone')

test.each(['', '13800000000', '广州 🙂', 'x'.repeat(100_000)])('a text comes back: %.20s', text => {
  expect(decryptField([current], context, encryptField(current, context, text))).toBe(text)
})

test('the same text never looks the same twice', () => {
  const all = Array.from({ length: 100 }, () => encryptField(current, context, 'same'))
  expect(new Set(all).size).toBe(100)
})

test('after a rotation old texts still decrypt, and by their own key only', () => {
  const sealed = encryptField(old, context, 'kept')
  expect(sealed).toMatch(/^v1\.[\w-]+$/)
  expect(decryptField([current, old], context, sealed)).toBe('kept')
  expect(decryptField([current], context, sealed)).toBeUndefined()
  expect(decryptField([{ ...current, id: 'v1' }], context, sealed)).toBeUndefined()
})

test('a text that was moved to another field or channel does not decrypt', () => {
  const sealed = encryptField(current, context, 'mine')
  for (const other of [contextOf('orders', 'name'), contextOf('users', 'phone')])
    expect(decryptField([current], other, sealed)).toBeUndefined()
})

test('a text of which any one character was changed, left out or added does not decrypt', () => {
  const sealed = encryptField(current, context, 'tamper')
  const dot = sealed.indexOf('.')
  for (let at = 0; at < sealed.length; at += 1) {
    const other = sealed[at] === 'A' ? 'B' : 'A'
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
    expect(decryptField([current], context, changed), `character ${at}`).toBeUndefined()
  }
  for (let at = dot + 1; at < sealed.length; at += 1) {
    const shorter = sealed.slice(0, at) + sealed.slice(at + 1)
    expect(decryptField([current], context, shorter), `without ${at}`).toBeUndefined()
  }
  for (const end of ['A', '=', ' ', '\n', '.'])
    expect(decryptField([current], context, sealed + end)).toBeUndefined()
})

test.each(['', '.', 'v2.', 'v2', 'v2.AAAA', '__proto__.AAAA', `v2.${'A'.repeat(37)}`])(
  'junk is no encrypted text: %s',
  junk => {
    expect(decryptField([current], context, junk)).toBeUndefined()
  },
)

test('the form is iv, tag, ciphertext, so that any AES-256-GCM can read it', () => {
  const [, body = ''] = encryptField(current, context, 'recipe').split('.')
  const bytes = Buffer.from(body, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', current.key, bytes.subarray(0, 12))
  decipher.setAAD(Buffer.from('orders/phone'))
  decipher.setAuthTag(bytes.subarray(12, 28))
  expect(decipher.update(bytes.subarray(28), undefined, 'utf8') + decipher.final('utf8')).toBe(
    'recipe',
  )
})
