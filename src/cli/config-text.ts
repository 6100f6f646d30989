import { safe } from 'ini'
import type { EffectiveKey, EffectiveSection, Origin } from '../config/effective.ts'
import { decodeValue, valueEnd } from '../config/ini-value.ts'
import { maskValue } from '../config/secrets.ts'
import { headerOf, isPythons } from '../config/section.ts'
import { clean, pad, textWidth } from './render.ts'

/** Shown in place of a secret. */
export const MASK = '***'

/** The least width of the column of values, however long the names of files are. */
const LEAST = 12

export interface TextOptions {
  readonly width: number
  /** Where a value comes from, for a remark. */
  readonly origin: (from: Origin) => string
}

/**
 * One section in the language of cron.ini: what is printed is read back as the same, but for what is
 * masked. The origin of a value follows it, or is above it where there is no room.
 */
export function sectionLines(
  { section, keys }: EffectiveSection,
  { width, origin }: TextOptions,
): string[] {
  const python = isPythons(section.kind)
  const rows = keys.map(one => ({
    lines: written(one, python),
    name: `${one.unwritten ? '; ' : ''}${one.key}`,
    remark: `; ${clean(origin(one.from))}`,
  }))
  const nameWidth = widest(rows.map(one => one.name))
  // A wider value does not move the remarks of the others.
  const room = Math.max(LEAST, width - nameWidth - 5 - widest(rows.map(one => one.remark)))
  const first = rows.map(one => one.lines[0] ?? '')
  const valueWidth = widest(first.filter(one => textWidth(one) <= room))
  return [
    headerOf(section),
    ...rows.flatMap(({ name, lines: [first = '', ...more], remark }) => {
      const key = `${pad(name, nameWidth)} =`
      const alone = `${key} ${first}`.trimEnd()
      const line = `${key} ${pad(first, valueWidth)}  ${remark}`
      const fits = textWidth(line) <= width && readsBack(line.slice(key.length), first)
      const below = more.map(one => `    ${one}`)
      return fits ? [line, ...below] : [remark, alone, ...below]
    }),
  ]
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(textWidth))
}

/**
 * The value as `ini` writes it, or in our own quotes where our reader would not read that back.
 * Sections of supervisord have no quotes, but a value may have several lines there.
 */
function written({ key, value }: EffectiveKey, python: boolean): readonly string[] {
  const shown = maskValue(key, value, MASK)
  if (python) return shown.split('\n')
  const byIni = safe(shown)
  const same = readsBack(` ${byIni}`, byIni) && decodeValue(byIni) === shown
  return [same ? byIni : `"${shown.replace(/["\\]/g, '\\$&')}"`]
}

/**
 * @param rest all that follows the `=` of a line @param text the value that it must have without
 * its remark
 */
function readsBack(rest: string, text: string): boolean {
  return rest.slice(0, valueEnd(rest)).trim() === text
}
