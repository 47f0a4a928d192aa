#!/usr/bin/perl
# Parallel::Prefork::SpareWorkers doing what spare_worker.c does:
#   spare_prefork.pl SOCKET HEARTBEAT MIN_SPARE MAX_SPARE MAX
#   spare_prefork.pl set_status COUNT       the picoseconds that one change of state takes
use strict;
use warnings;
use IO::Handle;
use IO::Socket::UNIX;
use Parallel::Prefork::SpareWorkers qw(:status);
use Parallel::Prefork::SpareWorkers::Scoreboard;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

sub tell_fifo {
    my $word = shift // '';
    open my $fifo, '>', $ENV{BENCH_FIFO} or exit 1;
    syswrite $fifo, sprintf "%d %d %s\n", $$, clock_gettime(CLOCK_MONOTONIC) * 1e9, $word;
}

sub time_changes {
    my $count = shift;
    my $board = Parallel::Prefork::SpareWorkers::Scoreboard->new(undef, 50);
    $board->child_start;
    my $began = clock_gettime(CLOCK_MONOTONIC);
    $board->set_status($_ & 1 ? 'A' : STATUS_IDLE) for 1 .. $count;
    tell_fifo(int((clock_gettime(CLOCK_MONOTONIC) - $began) * 1e12 / $count));
}

sub serve {
    my ($manager, $listener) = @_;
    tell_fifo();
    while (1) {
        my $client = $listener->accept or next;
        $manager->set_status('A');
        syswrite $client, 'x';
        1 while sysread $client, my $byte, 1;
        $manager->set_status(STATUS_IDLE);
        close $client;
    }
}

if ($ARGV[0] eq 'set_status') {
    time_changes($ARGV[1]);
    exit 0;
}

my ($path, $heartbeat, $min_spare, $max_spare, $max) = @ARGV;
my $listener = IO::Socket::UNIX->new(Local => $path, Listen => 128) or die "$path: $!";
my $manager = Parallel::Prefork::SpareWorkers->new({
    max_workers       => $max,
    min_spare_workers => $min_spare,
    max_spare_workers => $max_spare,
    heartbeat         => $heartbeat,
    trap_signals      => {TERM => 'TERM'},
});

while ($manager->signal_received ne 'TERM') {
    $manager->start and next;
    serve($manager, $listener);
    $manager->finish;
}
$manager->wait_all_children;
