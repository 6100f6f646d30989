import { statSync } from 'node:fs'
import { realClock } from '../../lib/clock.ts'
import { upcoming } from '../../schedule/next-times.ts'
import { type Finding, fail, type Look, ok, type Patient, warn } from './finding.ts'
import { askRedis, redisAddress } from './redis-ask.ts'

const DAY = 86_400_000
const MOST_SKEW_MS = 2000

/** Berlin's clocks went forward on 29 March 2026 at 02:00: 02:30 runs at 03:00, 01:00 UTC. */
const KNOWN = {
  expression: '30 2 29 3 *',
  zone: 'Europe/Berlin',
  from: Date.UTC(2026, 0, 1),
  at: Date.UTC(2026, 2, 29, 1),
}

export const lookAtZones: Look = ({ config }) => {
  const zone = config?.settings.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
  const trigger = { kind: 'cron', expression: KNOWN.expression } as const
  const right = (() => {
    try {
      return upcoming(trigger, KNOWN.zone, KNOWN.from, 1)[0]?.at === KNOWN.at
    } catch {
      return false
    }
  })()
  const version = process.versions['tz'] ?? 'unknown'
  if (!right)
    return [
      fail(
        'time zones',
        `the zone data (${version}) are incomplete`,
        'install a full build of Node',
      ),
    ]
  return [ok('time zones', `data ${version}, default ${zone}`)]
}

export const lookAtClock: Look = async patient => {
  const now = realClock.now()
  // No file can be younger than the present.
  const built = statSync(new URL(import.meta.url)).mtimeMs
  if (now < built - DAY)
    return [
      fail('clock', `shows ${new Date(now).toISOString()}, which is past`, 'set it, or run NTP'),
    ]
  const skew = await skewOfRedis(patient)
  return [skew ?? ok('clock', new Date(now).toISOString())]
}

/** Nodes that share a Redis should agree on the time. */
async function skewOfRedis({ config, status }: Patient): Promise<Finding | undefined> {
  const url = config?.settings.redis ?? 'embedded'
  const address =
    url === 'embedded' || status?.redis.answers === false ? undefined : redisAddress(url)
  if (address === undefined) return undefined
  const answers = await askRedis(address, [['TIME']])
  const seconds = answers.ok ? /\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(answers.text)?.[1] : undefined
  if (seconds === undefined) return undefined
  const skew = realClock.now() - Number(seconds) * 1000
  if (skew > -MOST_SKEW_MS && skew < MOST_SKEW_MS + 1000) return undefined
  const message = `differs by ${Math.round(Math.abs(skew) / 1000)} s from that of Redis`
  return warn('clock', message, 'run NTP on both machines')
}
