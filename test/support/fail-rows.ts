import type { FailRow } from '../../src/model/fail-row.ts'

/** A row as a worker writes it; the given fields win. */
export function failRow(fields: Partial<FailRow> = {}): FailRow {
  return {
    worker_id: 'host-sync_tasks-1',
    task_key: 'sync_tasks',
    start_runtime: '2026-11-21T10:00:00.123+01:00',
    end_runtime: '2026-11-21T10:00:01.456+01:00',
    script: '/var/www/points/index.php',
    controller: 'api/AccumulatePay',
    function: 'execute',
    param: 'a=1&b=2',
    unique_task_id: 'task-1',
    node: 'host',
    job: 'accumulate_pay',
    attempt: 1,
    kind: 'exit',
    code: 'fail',
    msg: 'exit code 1',
    exit_code: 1,
    signal: '',
    output: 'no money left\n',
    ...fields,
  }
}

/** Rows of different tasks, `task-<from>` and so on. */
export function failRows(count: number, from = 1, fields: Partial<FailRow> = {}): FailRow[] {
  return Array.from({ length: count }, (_, n) =>
    failRow({ unique_task_id: `task-${from + n}`, ...fields }),
  )
}
