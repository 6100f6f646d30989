import { z } from 'zod'
import { parseSize } from '../lib/size.ts'
import type { KeySpec } from '../model/channel.ts'
import { refuseOldPath } from '../model/old-path.ts'
import { readDatabase, readRedis } from './addresses.ts'
import { readColumns, readTable } from './columns.ts'
import { choice, duration, field, integer, no, type Read, yes } from './fields.ts'
import { orFromFile } from './from-file.ts'

const KEY_HINT = 'write for instance v1:KEY, with a KEY from openssl rand -base64 32'
const KEY_BYTES = 32

/** `new:base64, old:base64`. What is wrong is said without the key. */
const readKeys: Read<readonly KeySpec[]> = text => {
  const keys: KeySpec[] = []
  for (const [index, part] of text.split(/[\s,]+/).entries()) {
    const place = `has a key number ${index + 1} that`
    const colon = part.indexOf(':')
    const [id, key] = [part.slice(0, colon), part.slice(colon + 1)]
    if (colon < 0 || !/^[A-Za-z0-9_-]{1,32}$/.test(id))
      return no(`${place} has no id of letters, digits, _ and - before a colon`, KEY_HINT)
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key) || Buffer.from(key, 'base64').length !== KEY_BYTES)
      return no(`${place} is not ${KEY_BYTES} bytes in base64`, KEY_HINT)
    if (keys.some(one => one.id === id)) return no(`has the id ${id} twice`, 'give each its own')
    keys.push({ id, key })
  }
  return yes(keys)
}

const readUpstream: Read<string> = text => {
  if (/^https?:\/\/[^\s#]+$/.test(text) && URL.canParse(text)) return yes(text)
  return no('is not a URL', 'write for instance https://crypto.example.org/encrypt')
}

const readNames: Read<readonly string[]> = text => {
  const names = text.split(',').map(one => one.trim())
  return names.includes('') ? no('has an empty name') : yes([...new Set(names)])
}

const readLegacyPaths: Read<readonly string[]> = text => {
  const paths = [...new Set(text.split(/[\s,]+/).filter(one => one !== ''))]
  const reason = paths.map(refuseOldPath).find(one => one !== undefined)
  return reason === undefined ? yes(paths) : no(reason, 'write for instance /save_data_to_orders')
}

const legacyPath = field(readLegacyPaths, '/save_data_to_orders').optional()

/** Empty names nothing, and a key of ours is not the user's. */
const readKeyName: Read<string> = text =>
  text.startsWith('Task:Relay:') ? no('is a name that taskd needs itself') : yes(text)

const readRemoteRedis: Read<string> = text =>
  text === 'embedded'
    ? no('must name a Redis of its own', 'write redis://host:6379/0')
    : readRedis(text)

export const channelSchema = z.object({
  database: field(orFromFile(readDatabase), 'postgres://user:password@host/name').optional(),
  table: field(readTable, 'orders'),
  columns: field(readColumns, 'id!:int, name, phone=phone_no'),
  max_rows: integer(1, 100_000, 5000).default(5000),
  spool_max: field<number>(parseSize, '1GB').default(1024 ** 3),
  encrypt: field(readNames, 'phone, id_card').optional(),
  encrypt_key: field(orFromFile(readKeys), '@/etc/taskd/keys').optional(),
  encrypt_url: field(orFromFile(readUpstream), 'https://crypto.example.org/encrypt').optional(),
  legacy_path: legacyPath,
})

export const relaySchema = z.object({
  redis: field(orFromFile(readRemoteRedis), 'redis://host:6379/0'),
  list: field(readKeyName, 'todo'),
  take: choice(['left', 'right']).default('left'),
  results: field(readKeyName, 'results').optional(),
  max: integer(1, 10_000, 500).default(500),
  lease: duration('10m', 1000).default(600_000),
  legacy_path: legacyPath,
})
