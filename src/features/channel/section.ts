import { resolve } from 'node:path'
import { z } from 'zod'
import { readDatabase } from '../../config/addresses.ts'
import { diffByName, differingKeys } from '../../config/changes.ts'
import { readColumns, readTable } from '../../config/columns.ts'
import type { Report } from '../../config/diagnostics.ts'
import { field, integer, no, type Read, yes } from '../../config/fields.ts'
import { orFromFile } from '../../config/from-file.ts'
import { legacyPath } from '../../config/legacy-path.ts'
import { type Checked, placeOf } from '../../config/schema.ts'
import { headerOf, refuseFolderName } from '../../config/section.ts'
import { readEach, type SectionKind, type Surroundings } from '../../config/section-kind.ts'
import { parseSize } from '../../lib/size.ts'
import { didYouMean, quoted } from '../../lib/suggest.ts'
import type { ChannelSpec, KeySpec } from '../../model/channel.ts'

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

const schema = z.object({
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

/** `[channel:NAME]` */
export const channelKind: SectionKind<readonly ChannelSpec[], typeof schema> = {
  kind: 'channel',
  home: '[channel:NAME]',
  schema,
  examples: { table: 'orders', columns: 'id!:int, name' },
  commonKeys: true,
  refuseName: name => refuseFolderName(name, 'a channel', '[channel:orders]'),
  read: (sections, around) =>
    readEach(channelKind, sections, around.report, checked => {
      checkEncryption(checked, around.report)
      const { section, values, complete } = checked
      for (const path of values.legacy_path ?? []) around.legacyPaths.set(path, headerOf(section))
      return complete && specOf(section.name, complete, around)
    }),
  // `keys` holds what `encrypt_key` says.
  diff: (old, next) =>
    diffByName(old, next, (before, after) =>
      differingKeys(before, after).map(key => (key === 'keys' ? 'encrypt_key' : key)),
    ),
}

function specOf(
  name: string,
  values: z.output<typeof schema>,
  { settings, folder }: Surroundings,
): ChannelSpec {
  const { database = settings.database, table, columns } = values
  return {
    name,
    database: database.startsWith('sqlite:')
      ? `sqlite:${resolve(folder, database.slice('sqlite:'.length))}`
      : database,
    table,
    columns,
    maxRows: values.max_rows,
    spoolMax: values.spool_max,
    encrypt: values.encrypt ?? [],
    keys: values.encrypt_key ?? [],
    legacyPaths: values.legacy_path ?? [],
    ...(values.encrypt_url !== undefined && { encryptUrl: values.encrypt_url }),
  }
}

/** Looks only at keys that are in order by themselves. */
function checkEncryption({ section, values }: Checked<typeof schema>, report: Report): void {
  const at = (name: string) => placeOf(section, name)
  const has = (name: string) => section.entries.has(name)
  if (has('encrypt_key') && has('encrypt_url'))
    report.problem(at('encrypt_url'), 'cannot stand beside encrypt_key', 'keep one of them')
  if (has('encrypt') && !has('encrypt_key') && !has('encrypt_url')) {
    const hint = 'add encrypt_key = v1:KEY, with a KEY from openssl rand -base64 32'
    report.problem(at('encrypt'), 'has no key to encrypt with', hint)
  }
  if (has('encrypt_key') && !has('encrypt'))
    report.problem(at('encrypt_key'), 'encrypts nothing', 'add encrypt = with the fields')
  const { encrypt = [], columns } = values
  for (const name of columns === undefined ? [] : encrypt) {
    const column = columns?.find(one => one.field === name)
    if (column === undefined) {
      const known = columns?.map(one => one.field) ?? []
      const hint = didYouMean(name, known, 'name fields of columns', quoted)
      report.problem(at('encrypt'), `${name.slice(0, 64)} is no field of columns`, hint)
    } else if (column.type !== 'any' && column.type !== 'text') {
      const hint = `write ${name}:text in columns: what is encrypted is stored as text`
      report.problem(at('encrypt'), `${name} is of type ${column.type}`, hint)
    }
  }
}
