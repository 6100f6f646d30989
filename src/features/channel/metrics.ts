import { Counter, Gauge } from 'prom-client'
import type { AddMetrics } from '../feature.ts'

export const addMetrics: AddMetrics = registry => {
  const registers = [registry]
  const labelNames = ['channel']
  const gauge = (name: string, help: string) => new Gauge({ registers, name, help, labelNames })
  const up = gauge('taskd_channel_up', '1 when the database of the channel took what it was sent.')
  const batches = gauge('taskd_channel_spool_batches', 'Batches that wait on disk.')
  const bytes = gauge('taskd_channel_spool_bytes', 'Bytes on disk of batches that wait.')
  const bad = gauge(
    'taskd_channel_bad_batches',
    'Batches that the database refused after they had been taken; they lie in files.',
  )
  const rows = new Counter({
    registers,
    name: 'taskd_channel_inserted_rows_total',
    help: 'Rows that were put into the table of the channel.',
    labelNames,
  })
  return ({ channels }) => {
    for (const one of [up, batches, bytes, bad, rows]) one.reset()
    for (const { name: channel, ...one } of channels) {
      up.set({ channel }, one.ok ? 1 : 0)
      batches.set({ channel }, one.backlog)
      bytes.set({ channel }, one.backlog_bytes)
      bad.set({ channel }, one.bad)
      rows.inc({ channel }, one.inserted)
    }
  }
}
