/**
 * Words of supervisorctl, and what does the same here. The command prints that and does nothing
 * (exit 2).
 */
export const HABITS: Readonly<Record<string, string>> = {
  update: 'taskd reload applies what has changed in the configuration, taskd plan shows it first',
  reread: 'taskd plan shows what taskd reload would change',
  add: 'taskd reload starts what is new in the configuration',
  remove: 'remove its section, and taskd reload stops it',
  avail: 'taskd status lists every program, taskd config all that is configured',
  clear: 'logs are rotated by themselves (stdout_logfile_maxbytes); truncate -s 0 FILE empties one',
  maintail:
    'the log of the daemon is log_file in [taskd], by default <data_dir>/log/taskd.log: tail -f it',
  fg: 'taskd tail -f NAME shows what it writes; a program here has no terminal',
  shutdown: 'taskd stop ends the daemon',
}
