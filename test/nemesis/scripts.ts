/** What runs in a run of the nemesis. Each writes lines into one ledger, see ledger.ts. */

/**
 * `$1` is the folder of the ledger, `$2` how it ends (succ, fail, code, exit), `$3` for how many ms
 * it runs. A lock under the task's id tells whether another run of the same task lives beside it; the
 * kernel gives it up with its process. The script is one process, so a KILL of it ends all of it.
 */
export const LEDGER_SCRIPT = `#!/usr/bin/perl
use strict;
use Fcntl qw(:flock O_WRONLY O_APPEND O_CREAT);
my ($dir, $how, $ms) = @ARGV;
my $id = $ENV{TASKD_TASK_ID};
(my $name = $id) =~ s/[^\\w.-]/_/g;
sysopen(my $lock, "$dir/locks/$name", O_WRONLY | O_CREAT) or die "lock: $!";
my $alone = flock($lock, LOCK_EX | LOCK_NB) ? 'alone' : 'beside';
sysopen(my $ledger, "$dir/ledger", O_WRONLY | O_APPEND | O_CREAT) or die "ledger: $!";
sub note {
  open(my $up, '<', '/proc/uptime') or die;
  my ($now) = split ' ', <$up>;
  my @line = ($_[0], $now, $ENV{TASKD_WORKER_ID}, $ENV{TASKD_ATTEMPT}, $$, $alone, $id, $how);
  syswrite($ledger, join(' ', @line) . "\\n");
}
note('begin');
select(undef, undef, undef, $ms / 1000);
note('end');
exit 3 if $how eq 'exit';
my $code = $how eq 'code' ? 'refused' : $how;
print qq({"code":"$code","msg":"$id","data":[]}\\n);
`

/** A function of the table \`task\`: \`args\` are the folder of the ledger and the ms. */
export const LEDGER_FUNCTION = `import fcntl, os, select

def beat(task_key, folder, ms, sub_task_id=0, trace_id=""):
    task_id = os.environ["TASKD_TASK_ID"]
    name = "".join(c if c.isalnum() or c in "._-" else "_" for c in task_id)
    lock = os.open(folder + "/locks/" + name, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        alone = "alone"
    except OSError:
        alone = "beside"
    ledger = os.open(folder + "/ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(word):
        now = open("/proc/uptime").read().split()[0]
        line = [word, now, os.environ["TASKD_WORKER_ID"], os.environ["TASKD_ATTEMPT"],
                str(os.getpid()), alone, task_id, "row:%s" % sub_task_id]
        os.write(ledger, (" ".join(line) + "\\n").encode())

    note("begin")
    # Python's sleep fails under libfaketime.
    select.select([], [], [], ms / 1000)
    note("end")
    return {"code": "succ", "msg": task_id, "data": []}
`

/** A program that must never live twice on one node: \`$1\` is the folder, \`$2\` the node. */
export const KEEPER = `#!/usr/bin/perl
use strict;
use Fcntl qw(:flock O_WRONLY O_APPEND O_CREAT);
my ($dir, $node) = @ARGV;
sysopen(my $lock, "$dir/locks/program-$node", O_WRONLY | O_CREAT) or die "lock: $!";
my $alone = flock($lock, LOCK_EX | LOCK_NB) ? 'alone' : 'beside';
sysopen(my $ledger, "$dir/ledger", O_WRONLY | O_APPEND | O_CREAT) or die "ledger: $!";
open(my $up, '<', '/proc/uptime') or die;
my ($now) = split ' ', <$up>;
syswrite($ledger, "begin $now $node 1 $$ $alone program-$node program\\n");
sleep 1 while 1;
`
