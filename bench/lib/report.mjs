import { cpus, totalmem } from 'node:os'

/** The beginning of a markdown table, to be pasted into docs/performance.md. */
export const HEAD = [
  '| what | taskd | target | beside it, in the same run | others on the machine |',
  '|---|---|---|---|---|',
].join('\n')

export function lineOf({ what, ours, target, met, peers, noise }) {
  const beside = peers.map(([name, figure]) => `${name} ${figure}`).join('<br>')
  const others = Number.isNaN(noise) ? '-' : `${(100 * noise).toFixed(0)} %`
  return `| ${what} | ${ours} | ${target} ${met ? '✓' : '✗'} | ${beside || '-'} | ${others} |`
}

/** In place of a part that could not be measured. */
export function failedLine(name, error) {
  const why = String(error?.message ?? error)
    .replaceAll(/[|\s]+/g, ' ')
    .trim()
  return `| ${name} | not measured: ${why.slice(0, 200)} | - | - | - |`
}

/** What the figures were taken on; ratios travel, milliseconds do not. */
export function conditions(ctx) {
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  const machine = `${cpus().length} CPUs (${cpus()[0]?.model.trim() ?? 'unknown'}), ${memory} GiB`
  return `${machine}, Node ${process.versions.node}; stamps by ${ctx.stamp.kind}; ${ctx.rounds} rounds.`
}
