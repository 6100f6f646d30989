import { z } from 'zod'
import { diffByName } from '../../config/changes.ts'
import { duration, field, no, type Read, yes } from '../../config/fields.ts'
import { refuseFolderName } from '../../config/section.ts'
import { readEach, type SectionKind } from '../../config/section-kind.ts'

export interface PingSpec {
  readonly name: string
  readonly url: string
  readonly everyMs: number
}

const EXAMPLE = 'https://shop.example.org/health'

const readUrl: Read<string> = text =>
  /^https?:/.test(text) && URL.canParse(text) ? yes(text) : no('is not a URL', `write ${EXAMPLE}`)

const schema = z.object({
  url: field(readUrl, EXAMPLE),
  every: duration('1m', 100).default(60_000),
})

/** `[ping:NAME]` */
export const pingKind: SectionKind<readonly PingSpec[], typeof schema> = {
  kind: 'ping',
  home: '[ping:NAME]',
  schema,
  examples: { url: EXAMPLE },
  commonKeys: true,
  refuseName: name => refuseFolderName(name, 'a ping', '[ping:shop]'),
  read: (sections, { report }) =>
    readEach(pingKind, sections, report, ({ section, complete }) => {
      if (complete === undefined) return undefined
      return { name: section.name, url: complete.url, everyMs: complete.every }
    }),
  diff: diffByName,
}
