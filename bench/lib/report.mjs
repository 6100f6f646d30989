import { cpus, totalmem } from 'node:os'

/** The rows as a markdown table, to be pasted into docs/performance.md. */
export function tableOf(rows) {
  const lines = rows.map(({ what, ours, target, met, peers, noise }) => {
    const beside = peers.map(([name, figure]) => `${name} ${figure}`).join('<br>')
    const others = Number.isNaN(noise) ? '-' : `${(100 * noise).toFixed(0)} %`
    return `| ${what} | ${ours} | ${target} ${met ? '✓' : '✗'} | ${beside || '-'} | ${others} |`
  })
  const head = '| what | taskd | target | beside it, in the same run | others on the machine |'
  return [head, '|---|---|---|---|---|', ...lines].join('\n')
}

/** What the figures were taken on; ratios travel, milliseconds do not. */
export function conditions(ctx) {
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  const machine = `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? 'unknown'}), ${memory} GiB`
  return `${machine}, Node ${process.versions.node}; stamps by ${ctx.stamp.kind}; ${ctx.rounds} rounds.`
}
