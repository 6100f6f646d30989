# Starts processes for a worker. A fork copies the page tables of whoever forks: from a Node
# process it takes a millisecond of the main thread, from this small one a fifth of that.
#
# Used where launcher-c could not be compiled: perl is part of every Debian and Ubuntu. launcher.ts
# describes the frames that come and go.
use strict;
use warnings;
use POSIX ();

use constant { stdout => 1 << 20, output => 1 << 16 };    # how much of each is kept
use constant DRAIN_S  => 0.2;     # how long pipes may stay open after the process is gone
use constant POLL_S   => 0.01;    # bounds the wait for an exit whose SIGCHLD came too early
use constant BEHIND   => 1 << 18; # a reader that is this far behind misses output, and nothing else
use constant SHOWN    => 1 << 17; # and one that watches gets so much of it in 10 ms

$SIG{$_} = 'IGNORE' for qw(INT TERM HUP PIPE);
$SIG{CHLD} = sub { };
# Held back over the fork, so that a child that is ended at once is not deaf to it.
my $ending = POSIX::SigSet->new(POSIX::SIGINT(), POSIX::SIGTERM(), POSIX::SIGHUP());

open my $null, '<', '/dev/null' or die "/dev/null: $!";
my $nonce = join '', map { sprintf '%08x', rand 2**32 } 1 .. 4;
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my (%run_of_pid, %run_of_fd);
my $self    = $$;
my $bits    = '';
my $input   = '';
my $pending = '';
my $was_large;
my ($shown, $shown_at) = (0, 0);
vec($bits, 0, 1) = 1;
vec(my $reader = '', 1, 1) = 1;
# A reader that is slow must not keep us from the pipes of the processes.
fcntl STDOUT, POSIX::F_SETFL(), POSIX::O_NONBLOCK() | fcntl(STDOUT, POSIX::F_GETFL(), 0) or die "fcntl: $!";

# The number of wait4, which tells the memory of one child: waitpid does not, and the libraries
# that do are not part of perl-base. Where the number is not known, no figure is shown.
my $long = length pack 'l!', 0;
# A 32-bit perl on a 64-bit kernel has none either: nothing tells which numbers it has.
my $wait4 = {
    8 => { x86_64 => 61, aarch64 => 260, riscv64 => 260, ppc64 => 114, ppc64le => 114, s390x => 114 },
    4 => { i686 => 114, i586 => 114, i386 => 114, armv7l => 114, armv6l => 114 },
}->{$long}{ (POSIX::uname())[4] };

my ($status, $usage, $wnohang) = ("\0" x 4, "\0" x (18 * $long), POSIX::WNOHANG());

# The worker is gone, and the tasks of what runs are others' by now.
END { kill '-KILL', keys %run_of_pid if $$ == $self }

while (1) {
    my $ready   = $bits;
    my $waiting = $pending eq '' ? undef : $reader;
    my $found   = select $ready, $waiting, undef, (%run_of_pid ? POLL_S : undef);
    push_out() if $pending ne '';
    if ($found > 0) {
        for my $fd (keys %run_of_fd) { take($fd) if vec($ready, $fd, 1) }
        requests() if vec($ready, 0, 1);
    }
    reap() if %run_of_pid;
}

sub frame {
    my $body = join "\0", @_;
    $pending .= pack('N', length $body) . $body;
    push_out();
}

sub push_out {
    $was_large ||= length $pending > BEHIND;
    while ($pending ne '') {
        my $written = syswrite STDOUT, $pending;
        if (!defined $written) {
            next if $!{EINTR};
            return if $!{EAGAIN};
            exit 0;
        }
        substr $pending, 0, $written, '';
    }
    # An empty text keeps its memory, and every child would count it as its own.
    return if !$was_large;
    undef $pending;
    ($pending, $was_large) = ('', 0);
}

sub requests {
    my $read = sysread STDIN, $input, 65536, length $input;
    return if !defined $read && $!{EINTR};
    exit 0 if !$read;
    while (length $input >= 4) {
        my $length = unpack 'N', $input;
        last if length $input < 4 + $length;
        my ($kind, @fields) = split /\0/, substr($input, 4, $length), -1;
        substr $input, 0, 4 + $length, '';
        if    ($kind eq 'R') { start(@fields) }
        elsif ($kind eq 'W') { watch(@fields) }
        else                 { %ENV = map { split /=/, $_, 2 } @fields }
    }
}

sub start {
    my ($id, $uid, $gid, $directory, $count, @rest) = @_;
    my @command     = splice @rest, 0, $count;
    my %environment = map { split /=/, $_, 2 } @rest;
    my ($out, $out_end, $err, $err_end);
    if (!pipe($out, $out_end) || !pipe($err, $err_end)) { return frame('F', $id, $! + 0) }
    POSIX::sigprocmask(POSIX::SIG_BLOCK(), $ending);
    my $pid = fork;
    POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $ending) if !defined $pid || $pid;
    if (!defined $pid) { return frame('F', $id, $! + 0) }
    if ($pid == 0) { become($uid, $gid, $directory, \@command, \%environment, $out_end, $err_end) }
    # Here too: whoever ends the group must find it, however late the child gets to run.
    POSIX::setpgid($pid, $pid);
    close $out_end;
    close $err_end;
    my $run = { id => $id, stdout => '', output => '', written => 0, errors => 0, pipes => 2 };
    $run_of_pid{$pid} = $run;
    for ([$out, 1], [$err, 0]) {
        my ($pipe, $is_stdout) = @$_;
        my $fd = fileno $pipe;
        $run_of_fd{$fd} = [$run, $pipe, $is_stdout];
        vec($bits, $fd, 1) = 1;
    }
    frame('S', $id, $pid);
}

# In the child. What goes wrong here goes out as the only line of standard error.
sub become {
    my ($uid, $gid, $directory, $command, $environment, $out, $err) = @_;
    POSIX::setpgid(0, 0);
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $ending);
    POSIX::dup2(fileno $out, 1);
    POSIX::dup2(fileno $err, 2);
    POSIX::dup2(fileno $null, 0);
    my $fine = $uid eq '' || drop($uid, $gid);
    if ($fine && chdir $directory) {
        $ENV{$_} = $environment->{$_} for keys %$environment;
        no warnings 'exec';
        exec { $command->[0] } @$command;
    }
    POSIX::write(2, "$nonce " . ($! + 0), length($nonce) + 1 + length($! + 0));
    POSIX::_exit(127);
}

sub drop {
    my ($uid, $gid) = @_;
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    return 1 if $< == $uid && $> == $uid && $( == $gid;
    $! = POSIX::EPERM();
    return 0;
}

sub take {
    my ($fd) = @_;
    my ($run, $pipe, $is_stdout) = @{ $run_of_fd{$fd} };
    my $read = sysread $pipe, my $chunk, 65536;
    return if !defined $read && $!{EINTR};
    return shut($fd) if !$read;
    show($run, $chunk) if $run->{watched};
    $run->{written} += $read;
    $run->{errors} += $read if !$is_stdout;
    for my $tail ($is_stdout ? qw(stdout output) : 'output') {
        $run->{$tail} .= $chunk;
        my $kept = $tail eq 'stdout' ? stdout : output;
        shorten($run->{$tail}, $kept) if length $run->{$tail} > 2 * $kept;
    }
}

# As much as a reader can take in; whoever writes more must not wait for the copying.
sub show {
    my ($run) = @_;
    my $tick = now();
    ($shown_at, $shown) = ($tick, 0) if $tick != $shown_at;
    return if $shown >= SHOWN || length $pending >= BEHIND || index($_[1], $nonce) == 0;
    $shown += length $_[1];
    frame('O', $run->{id}, $run->{written}, '', $_[1]);
}

sub watch {
    my ($id, $on) = @_;
    my ($run) = grep { $_->{id} eq $id } values %run_of_pid or return;
    $run->{watched} = $on;
    return if !$on;
    shorten($run->{output}, output) if length $run->{output} > output;
    my $so_far = index($run->{output}, $nonce) == 0 ? '' : $run->{output};
    frame('O', $id, $run->{written} - length $so_far, 1, $so_far);
}

sub shut {
    my ($fd) = @_;
    my ($run, $pipe) = @{ delete $run_of_fd{$fd} };
    vec($bits, $fd, 1) = 0;
    close $pipe;
    $run->{pipes}--;
}

# We may have stood still since it was written: a read that would wait must not be made.
sub cut_off {
    my ($fd) = @_;
    vec(my $there = '', $fd, 1) = 1;
    take($fd) if select($there, undef, undef, 0) > 0;
    shut($fd) if $run_of_fd{$fd};
}

sub reap {
    while ((my $pid = $wait4 ? syscall $wait4, -1, $status, $wnohang, $usage : waitpid -1, $wnohang) > 0) {
        my $run = $run_of_pid{$pid} or next;
        $run->{status} = $wait4 ? unpack 'i', $status : $?;
        # Behind two struct timeval, each of two longs.
        $run->{peak}   = $wait4 ? unpack 'l!', substr $usage, 4 * $long, $long : '';
        $run->{until}  = now() + DRAIN_S;
    }
    for my $pid (keys %run_of_pid) {
        my $run = $run_of_pid{$pid};
        next if !defined $run->{status};
        if ($run->{pipes} > 0) {
            next if now() < $run->{until};
            for my $fd (keys %run_of_fd) { cut_off($fd) if $run_of_fd{$fd}[0] == $run }
        }
        delete $run_of_pid{$pid};
        ended($run);
    }
}

# Seconds that no change of the clock moves.
sub now { (POSIX::times())[0] / $ticks }

# Without copies on the way: what perl has once used for them stays with this process, and a child
# counts it as its own until it has become what it is to be.
sub ended {
    my ($run) = @_;
    shorten($run->{stdout}, stdout) if length $run->{stdout} > stdout;
    shorten($run->{output}, output) if length $run->{output} > output;
    my $errno = $run->{output} ne '' && $run->{output} =~ /\A\Q$nonce\E (\d+)\z/ ? $1 : '';
    $run->{output} = '' if $errno ne '';
    my $head = join "\0", 'X', @$run{qw(id status)}, $errno, @$run{qw(peak written errors)}, length $run->{stdout}, '';
    $pending .= pack('N', length($head) + length($run->{stdout}) + length $run->{output}) . $head;
    $pending .= $run->{stdout};
    $pending .= $run->{output};
    push_out();
}

# Keeps the end of a text that is longer, in place.
sub shorten { substr $_[0], 0, length($_[0]) - $_[1], '' }
