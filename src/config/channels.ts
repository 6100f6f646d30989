import { resolve } from 'node:path'
import { suggest } from '../lib/suggest.ts'
import type { ChannelSpec, RelaySpec } from '../model/channel.ts'
import type { Settings } from './config.ts'
import type { Report } from './diagnostics.ts'
import { type Checked, checkSection, placeOf } from './schema.ts'
import { checkName, type Section } from './section.ts'

export interface Places {
  readonly settings: Settings
  /** The folder of the main file. */
  readonly folder: string
}

export function readChannels(
  sections: readonly Section[],
  places: Places,
  report: Report,
): readonly ChannelSpec[] {
  const found: ChannelSpec[] = []
  for (const section of sections) {
    if (report.full) break
    checkName(section, report)
    const checked = checkSection('channel', section, report)
    checkEncryption(checked, report)
    if (checked.complete !== undefined)
      found.push(channelOf(section.name, checked.complete, places))
  }
  return found
}

export function readRelays(
  sections: readonly Section[],
  { folder }: Places,
  channels: readonly ChannelSpec[],
  report: Report,
): readonly RelaySpec[] {
  const found: RelaySpec[] = []
  const taken = new Map(
    channels.flatMap(one => one.legacyPaths.map(path => [path, `channel:${one.name}`])),
  )
  for (const section of sections) {
    if (report.full) break
    checkName(section, report)
    const { values, complete } = checkSection('relay', section, report)
    if (values.results !== undefined && values.results === values.list)
      report.problem(placeOf(section, 'results'), 'is the list of the tasks', 'name another list')
    for (const path of values.legacy_path ?? []) {
      const other = taken.get(path)
      if (other === undefined) taken.set(path, `relay:${section.name}`)
      else
        report.problem(
          placeOf(section, 'legacy_path'),
          `${path} is a path of [${other}] already`,
          'name another',
        )
    }
    if (complete === undefined) continue
    const { redis, list, take, results, max, lease, legacy_path = [] } = complete
    found.push({
      name: section.name,
      redis: redis.startsWith('unix:') ? `unix:${resolve(folder, redis.slice(5))}` : redis,
      list,
      take,
      ...(results !== undefined && { results }),
      max,
      leaseMs: lease,
      legacyPaths: legacy_path,
    })
  }
  return found
}

type Complete = NonNullable<Checked<'channel'>['complete']>

function channelOf(name: string, values: Complete, { settings, folder }: Places): ChannelSpec {
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
function checkEncryption({ section, values }: Checked<'channel'>, report: Report): void {
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
      const near = suggest(name, columns?.map(one => one.field) ?? [])
      const hint = near === undefined ? 'name fields of columns' : `did you mean "${near}"?`
      report.problem(at('encrypt'), `${name.slice(0, 64)} is no field of columns`, hint)
    } else if (column.type !== 'any' && column.type !== 'text') {
      const hint = `write ${name}:text in columns: what is encrypted is stored as text`
      report.problem(at('encrypt'), `${name} is of type ${column.type}`, hint)
    }
  }
}
