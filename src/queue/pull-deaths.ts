import type { DeadTask } from '../model/pull.ts'

/** The entries that lua/pull-end.lua adds to the stream of deaths. */
export function deathsOf(entries: readonly [id: string, fields: string[]][]): DeadTask[] {
  return entries.map(([, list]) => {
    const fields = new Map<string, string>()
    for (let n = 0; n < list.length; n += 2) fields.set(list[n] ?? '', list[n + 1] ?? '')
    const text = (name: string) => fields.get(name) ?? ''
    return {
      id: text('id'),
      attempt: Number(text('attempt')),
      content: text('content'),
      why: text('why') === 'lease' ? 'lease' : 'failed',
      worker: text('worker'),
      msg: text('msg'),
      claimedAt: Number(text('claimed_at')),
      diedAt: Number(text('died_at')),
      leases: Number(text('leases')),
    }
  })
}
