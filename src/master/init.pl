# What process 1 of a container has to do, around taskd: starts the command it is given, hands
# signals on to it, reaps whatever is orphaned, and ends as the command does: with its exit code,
# or with 128 + the number of the signal that ended it. Node reaps its own children and no others.
# bin/taskd starts it when it finds itself to be process 1.
#   perl init.pl command argument…
use strict;
use warnings;
use POSIX ();

# A signal that process 1 has no handler for does not reach it at all.
my @handed_on = qw(HUP INT QUIT TERM USR1 USR2 ALRM CONT);
delete $ENV{PERL_BADLANG};    # set by bin/taskd, for this process alone

# A lock that the caller holds would be held for as long as we live. Perl has read this file by now.
if (opendir my $open, '/proc/self/fd') {
    my @above = grep { /^\d+$/ && $_ > 2 } readdir $open;
    closedir $open;
    POSIX::close($_) for @above;
}

# All are held back but for the moment of waiting, so that none comes in between.
my $held = POSIX::SigSet->new(map { POSIX->can("SIG$_")->() } @handed_on, 'CHLD');
my $before = POSIX::SigSet->new;
POSIX::sigprocmask(POSIX::SIG_BLOCK(), $held, $before);
my %disposition = map { $_ => $SIG{$_} // 'DEFAULT' } @handed_on;

my $child = fork // fail(1, "cannot start a process: $!");
become() if $child == 0;

$SIG{$_} = sub { kill $_[0], $child } for @handed_on;
$SIG{CHLD} = sub { };
while (1) {
    while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
        exit($? & 127 ? 128 + ($? & 127) : $? >> 8) if $pid == $child;
    }
    POSIX::sigsuspend($before);
}

# A group of its own, so that Ctrl-C comes to it once and not, handed on by us, again.
sub become {
    my $foreground = -t STDIN && POSIX::tcgetpgrp(0) == getpgrp;
    setpgrp;
    if ($foreground) {
        local $SIG{TTOU} = 'IGNORE';
        POSIX::tcsetpgrp(0, $$);
    }
    $SIG{$_} = $disposition{$_} for @handed_on;
    POSIX::sigprocmask(POSIX::SIG_SETMASK(), $before);
    no warnings 'exec';
    exec { $ARGV[0] } @ARGV or fail(127, "cannot run $ARGV[0]: $!");
}

sub fail {
    my ($code, $why) = @_;
    print STDERR "taskd: $why\n";
    POSIX::_exit($code);
}
