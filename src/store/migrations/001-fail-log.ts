import type { Migration } from './steps.ts'

/** The failed runs. */
export const failLog: Migration = {
  name: '001-fail-log',
  async up(step) {
    const { longText, instant } = step
    await step.createTable('fail_log', table =>
      table
        .addColumn('id', step.serial)
        .addColumn('worker_id', 'varchar(512)', one => one.notNull())
        .addColumn('task_key', 'varchar(255)', one => one.notNull())
        .addColumn('start_runtime', 'varchar(40)', one => one.notNull())
        .addColumn('end_runtime', 'varchar(40)', one => one.notNull())
        .addColumn('script', longText, one => one.notNull())
        .addColumn('controller', longText, one => one.notNull())
        .addColumn('function', longText, one => one.notNull())
        .addColumn('param', longText, one => one.notNull())
        .addColumn('unique_task_id', step.exactText(255), one => one.notNull())
        .addColumn('node', 'varchar(255)', one => one.notNull())
        .addColumn('job', 'varchar(255)', one => one.notNull())
        .addColumn('attempt', 'integer', one => one.notNull())
        .addColumn('kind', 'varchar(32)', one => one.notNull())
        .addColumn('code', 'varchar(255)', one => one.notNull())
        .addColumn('msg', longText, one => one.notNull())
        .addColumn('exit_code', 'integer')
        .addColumn('signal', 'varchar(32)', one => one.notNull())
        .addColumn('output', longText, one => one.notNull())
        .addColumn('created_at', instant, one => one.notNull()),
    )
    await step.createIndex('fail_log_run', 'fail_log', ['unique_task_id', 'attempt'], true)
    await step.createIndex('fail_log_start_runtime', 'fail_log', ['start_runtime'])
    await step.createIndex('fail_log_created_at', 'fail_log', ['created_at'])
    await step.createIndex('fail_log_job', 'fail_log', ['job', 'id'])
  },
}
