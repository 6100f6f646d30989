/** One claim of one task: the number tells it from an earlier or later one of the same task. */
export interface Claimed {
  readonly id: string
  readonly attempt: number
}

export interface Report extends Claimed {
  readonly kind: 'finish' | 'failed' | 'returned'
  /** Why it failed. */
  readonly msg: string
}

/** A line of the journal. */
export type Line =
  | { readonly type: 'claimed'; readonly claims: readonly Claimed[] }
  | { readonly type: 'begun'; readonly claim: Claimed }
  | { readonly type: 'ended'; readonly report: Report }
  /** The master has taken these reports. */
  | { readonly type: 'sent'; readonly claims: readonly Claimed[] }

const LETTERS = { finish: 'f', failed: 'x', returned: 'r' } as const

/** `["c",[id,attempt],…]`, `["b",id,attempt]`, `["f"|"x"|"r",id,attempt,msg]`, `["s",[id,attempt],…]` */
export function toLine(line: Line): string {
  return `${JSON.stringify(toList(line))}\n`
}

function toList(line: Line): unknown[] {
  switch (line.type) {
    case 'claimed':
      return ['c', ...line.claims.map(pair)]
    case 'begun':
      return ['b', ...pair(line.claim)]
    case 'ended':
      return [LETTERS[line.report.kind], ...pair(line.report), line.report.msg]
    case 'sent':
      return ['s', ...line.claims.map(pair)]
  }
}

const pair = ({ id, attempt }: Claimed) => [id, attempt] as const

/** Undefined for a torn or damaged line. */
export function fromLine(text: string): Line | undefined {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(list)) return undefined
  const [letter, ...rest] = list as unknown[]
  if (letter === 'c' || letter === 's') {
    const claims = rest.map(one => (Array.isArray(one) ? readPair(one) : undefined))
    const good = claims.filter(one => one !== undefined)
    if (good.length < claims.length) return undefined
    return { type: letter === 'c' ? 'claimed' : 'sent', claims: good }
  }
  const claim = readPair(rest)
  if (claim === undefined) return undefined
  if (letter === 'b') return { type: 'begun', claim }
  const kind = (['finish', 'failed', 'returned'] as const).find(one => LETTERS[one] === letter)
  const msg = rest[2]
  if (kind === undefined || typeof msg !== 'string') return undefined
  return { type: 'ended', report: { ...claim, kind, msg } }
}

function readPair([id, attempt]: readonly unknown[]): Claimed | undefined {
  return typeof id === 'string' && typeof attempt === 'number' ? { id, attempt } : undefined
}
