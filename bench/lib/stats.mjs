export function percentile(values, p) {
  const sorted = values.toSorted((a, b) => a - b)
  if (sorted.length === 0) return Number.NaN
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil((p / 100) * sorted.length) - 1))]
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** `1.23 (1.11-1.40)`: the median of some repetitions, and how far they lie apart. */
export function spread(values, digits = 2) {
  if (values.length === 0) return '-'
  const text = n => n.toFixed(digits)
  const middle = text(median(values))
  if (values.length === 1) return middle
  return `${middle} (${text(Math.min(...values))}-${text(Math.max(...values))})`
}

/** `p50 1.2, p99 3.4`: of all samples, in milliseconds. */
export function quantiles(values, ...points) {
  return points.map(p => `p${p} ${digits(percentile(values, p))}`).join(', ')
}

function digits(ms) {
  return ms >= 100 ? ms.toFixed(0) : ms.toFixed(1)
}

/** A target that travels: how many times as long as a peer took in the same run. */
export function within(ours, peer, limits) {
  const parts = Object.entries(limits).map(([name, limit]) => {
    const p = Number(name.slice(1))
    const ratio = percentile(ours, p) / percentile(peer, p)
    return { text: `${name} ${ratio.toFixed(1)} of < ${limit}`, met: ratio < limit }
  })
  return { target: parts.map(one => one.text).join(', '), met: parts.every(one => one.met) }
}
