import { resolve } from 'node:path'
import { z } from 'zod'
import { readRedis } from '../../config/addresses.ts'
import { diffByName } from '../../config/changes.ts'
import { choice, duration, field, integer, no, type Read, yes } from '../../config/fields.ts'
import { orFromFile } from '../../config/from-file.ts'
import { legacyPath } from '../../config/legacy-path.ts'
import { type Checked, placeOf } from '../../config/schema.ts'
import { headerOf, refuseFolderName } from '../../config/section.ts'
import { readEach, type SectionKind, type Surroundings } from '../../config/section-kind.ts'
import type { RelaySpec } from '../../model/channel.ts'

/** It must not be empty, nor one of our own keys. */
const readKeyName: Read<string> = text =>
  text.startsWith('Task:Relay:') ? no('is a name that taskd needs itself') : yes(text)

const readRemoteRedis: Read<string> = text =>
  text === 'embedded'
    ? no('must name a Redis of its own', 'write redis://host:6379/0')
    : readRedis(text)

const schema = z.object({
  redis: field(orFromFile(readRemoteRedis), 'redis://host:6379/0'),
  list: field(readKeyName, 'todo'),
  take: choice(['left', 'right']).default('left'),
  results: field(readKeyName, 'results').optional(),
  max: integer(1, 10_000, 500).default(500),
  lease: duration('10m', 1000).default(600_000),
  legacy_path: legacyPath,
})

/** `[relay:NAME]` */
export const relayKind: SectionKind<readonly RelaySpec[], typeof schema> = {
  kind: 'relay',
  home: '[relay:NAME]',
  schema,
  examples: { redis: 'redis://host:6379/0', list: 'todo' },
  commonKeys: true,
  refuseName: name => refuseFolderName(name, 'a relay', '[relay:orders]'),
  read: (sections, around) =>
    readEach(relayKind, sections, around.report, checked => {
      checkTogether(checked, around)
      return checked.complete && specOf(checked.section.name, checked.complete, around.folder)
    }),
  diff: diffByName,
}

function checkTogether(
  { section, values }: Checked<typeof schema>,
  { legacyPaths, report }: Surroundings,
): void {
  if (values.results !== undefined && values.results === values.list)
    report.problem(placeOf(section, 'results'), 'is the list of the tasks', 'name another list')
  for (const path of values.legacy_path ?? []) {
    const other = legacyPaths.get(path)
    if (other === undefined) legacyPaths.set(path, headerOf(section))
    else
      report.problem(
        placeOf(section, 'legacy_path'),
        `${path} is a path of ${other} already`,
        'name another',
      )
  }
}

function specOf(name: string, values: z.output<typeof schema>, folder: string): RelaySpec {
  const { redis, list, take, results, max, lease, legacy_path = [] } = values
  return {
    name,
    redis: redis.startsWith('unix:') ? `unix:${resolve(folder, redis.slice(5))}` : redis,
    list,
    take,
    ...(results !== undefined && { results }),
    max,
    leaseMs: lease,
    legacyPaths: legacy_path,
  }
}
