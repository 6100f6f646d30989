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
