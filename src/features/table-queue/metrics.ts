import { Counter, Gauge } from 'prom-client'
import { setKnown } from '../../monitor/set-known.ts'
import type { AddMetrics } from '../feature.ts'

export const addMetrics: AddMetrics = registry => {
  const registers = [registry]
  const labelNames = ['source']
  const gauge = (name: string, help: string) => new Gauge({ registers, name, help, labelNames })
  const counter = (name: string, help: string) => new Counter({ registers, name, help, labelNames })
  const up = gauge(
    'taskd_source_up',
    '1 when the database of the table queue answers and takes what it is sent.',
  )
  const taken = counter('taskd_source_taken_rows_total', 'Rows that became tasks.')
  const bad = counter('taskd_source_bad_rows_total', 'Rows that were marked as failed: no tasks.')
  const written = counter(
    'taskd_source_written_results_total',
    'Results that were written into the table.',
  )
  const open = gauge('taskd_source_open_rows', 'Rows that are tasks now, on all nodes.')
  const waiting = gauge(
    'taskd_source_waiting_results',
    'Results that the table does not say yet, on all nodes.',
  )
  return ({ sources }) => {
    for (const one of [up, taken, bad, written, open, waiting]) one.reset()
    for (const { name: source, ...one } of sources) {
      setKnown(up, { source }, one.ok)
      taken.inc({ source }, one.taken)
      bad.inc({ source }, one.bad)
      written.inc({ source }, one.written)
      setKnown(open, { source }, one.open)
      setKnown(waiting, { source }, one.backlog)
    }
  }
}
