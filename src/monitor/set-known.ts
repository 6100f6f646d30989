import type { Gauge } from 'prom-client'

/** What is not known is not 0: it has no sample. */
export function setKnown<L extends string>(
  gauge: Gauge<L>,
  labels: Partial<Record<L, string>>,
  value: number | boolean | null,
): void {
  if (value !== null) gauge.set(labels, Number(value))
}
